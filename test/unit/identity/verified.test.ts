// What was verified a moment ago: for how long, for whom, and how much of it.
import { expect, test } from "vitest";
import { VerifiedTokens } from "../../../src/identity/verified.ts";
import type { Credential } from "../../../src/kernel/principal.ts";
import { Secret } from "../../../src/kernel/secret.ts";
import { testClock } from "../ledger/entries.ts";

const START_MS = Date.parse("2026-03-14T09:26:53.000Z");

function credential(expires_at_ms: number): Credential {
  const principal = {
    issuer: "https://login.test",
    subject: "u-1",
    name: "Ada",
    tenant: undefined,
    roles: [],
    actor_chain: [],
  };
  const proof = new Secret("a token");
  const rest = { issuer_name: "corp", agent: "sales", client_id: "ide", scopes: [] };
  const when = {
    family: undefined,
    issued_at_s: 0,
    expires_at_ms,
    token_digest: "digest",
    incomplete: undefined,
  };
  return { principal, ...rest, ...when, proof };
}

function kept(lives_ms = 60_000) {
  const clock = testClock(START_MS);
  const tokens = new VerifiedTokens(clock);
  const known = credential(START_MS + lives_ms);
  tokens.set("digest", "sales", known);
  return { clock, tokens, known };
}

test("a token is known again for two seconds, and no longer", () => {
  const { clock, tokens, known } = kept();
  clock.ms += 1999;
  expect(tokens.get("digest", "sales")).toBe(known);
  clock.ms += 1;
  expect(tokens.get("digest", "sales")).toBeUndefined();
});

test("being asked for does not prolong it", () => {
  const { clock, tokens } = kept();
  for (let i = 0; i < 3; i++) {
    clock.ms += 900;
    tokens.get("digest", "sales");
  }
  expect(tokens.get("digest", "sales")).toBeUndefined();
});

test("a token that expires is unknown from that moment on", () => {
  const { clock, tokens, known } = kept(500);
  clock.ms += 499;
  expect(tokens.get("digest", "sales")).toBe(known);
  clock.ms += 1;
  expect(tokens.get("digest", "sales")).toBeUndefined();
});

test("what one agent accepted says nothing about another, nor about another token", () => {
  const { tokens } = kept();
  expect(tokens.get("digest", "support")).toBeUndefined();
  expect(tokens.get("other", "sales")).toBeUndefined();
});

test("ten thousand are remembered, and the oldest makes room", () => {
  const { tokens, known } = kept();
  for (let i = 1; i < 10_000; i++) tokens.set(`digest ${i}`, "sales", known);
  expect(tokens.get("digest", "sales")).toBe(known);
  tokens.set("one more", "sales", known);
  expect(tokens.get("digest", "sales")).toBeUndefined();
  expect(tokens.get("one more", "sales")).toBe(known);
});
