// Strangers: whose address a request is charged to, and who need not pay for a neighbour.
import type { IncomingMessage } from "node:http";
import { expect } from "vitest";
import { Secret } from "../../../src/kernel/secret.ts";
import { Strangers } from "../../../src/web/strangers.ts";
import { configFrom, minimalConfig } from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";
import { testClock } from "../ledger/entries.ts";
import { verifies } from "../../verifies.ts";

function strangers(http: Json = {}) {
  const strangers_per_address = { calls: 60, per_s: 60, burst: 2 };
  const config = configFrom(minimalConfig({ http: { strangers_per_address, ...http } }));
  const clock = testClock(0);
  return { clock, strangers: new Strangers(config, clock) };
}

function from(remoteAddress: string, forwarded?: string | string[]): IncomingMessage {
  const given = forwarded === undefined ? {} : { "x-forwarded-for": [forwarded].flat() };
  return { socket: { remoteAddress }, headersDistinct: given } as unknown as IncomingMessage;
}

/** Whether the second address pays for what the first one did. */
function isOne(one: IncomingMessage, other: IncomingMessage, http: Json = {}): boolean {
  const { strangers: its } = strangers(http);
  while (its.count(one) === undefined);
  return its.over(other) !== undefined;
}

verifies("limits.strangers", "addresses are counted apart, an IPv6 one with its /64", () => {
  expect(isOne(from("192.0.2.1"), from("192.0.2.1"))).toBe(true);
  expect(isOne(from("192.0.2.1"), from("::ffff:192.0.2.1"))).toBe(true);
  expect(isOne(from("192.0.2.1"), from("192.0.2.2"))).toBe(false);
  expect(isOne(from("2001:db8:0:1::1"), from("2001:DB8::1:ffff:2:3:4"))).toBe(true);
  expect(isOne(from("2001:db8:0:1::1"), from("2001:db8:0:2::1"))).toBe(false);
  expect(isOne(from("fe80::1%eth0"), from("fe80::2"))).toBe(true);
  expect(isOne(from("::1"), from("::2"))).toBe(true);
});

verifies(
  "limits.strangers",
  "a forwarded address is believed only where that is configured",
  () => {
    const ours = "10.0.0.1";
    const behind = { client_address: {} };
    expect(isOne(from(ours, "192.0.2.1"), from(ours, "192.0.2.2"))).toBe(true);
    expect(isOne(from(ours, "192.0.2.1"), from(ours, "192.0.2.2"), behind)).toBe(false);
    expect(isOne(from(ours, "192.0.2.1"), from(ours, "192.0.2.1"), behind)).toBe(true);
  },
);

verifies("limits.strangers", "what a client writes into the header itself changes nothing", () => {
  const ours = "10.0.0.1";
  const behind = { client_address: {} };
  const one = from(ours, "198.51.100.1, 192.0.2.1");
  for (const forged of ["198.51.100.2, 192.0.2.1", ["203.0.113.9", "192.0.2.1"], "x,192.0.2.1"]) {
    expect(isOne(one, from(ours, forged), behind)).toBe(true);
  }
  const two = { client_address: { proxies: 2 } };
  const through = (client: string): IncomingMessage => from(ours, `9.9.9.9, ${client}, 10.0.0.2`);
  expect(isOne(through("192.0.2.1"), through("192.0.2.2"), two)).toBe(false);
  // No address where one should be: whoever is connected pays.
  expect(isOne(from(ours, "unknown"), from(ours), behind)).toBe(true);
});

verifies("limits.strangers", "who was let in goes on, until that token is refused", () => {
  const { strangers: its, clock } = strangers();
  const token = new Secret("a token");
  const request = from("192.0.2.1");
  its.letIn(token.digest());
  while (its.count(request) === undefined);
  expect(its.over(request, token)).toBeUndefined();
  expect(its.over(request, new Secret("another"))).toMatchObject({ retry_after_ms: 1000 });
  its.count(request, token);
  expect(its.over(request, token)).toBeDefined();
  clock.ms += 999;
  expect(its.over(request)).toBeDefined();
  clock.ms += 1;
  expect(its.over(request)).toBeUndefined();
});

verifies(["limits.strangers", "limits.bounded"], "a flood of addresses is bounded", () => {
  const { strangers: its } = strangers();
  for (let i = 0; i < 100_000; i++) its.count(from(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`));
  expect(its.count(from("192.0.2.1"))).toMatchObject({ code: "rate_limited" });
});
