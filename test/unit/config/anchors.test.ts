// Beyond loopback somebody else must keep the log's checkpoints, or their absence is accepted.
import { describe, expect } from "vitest";
import { configFrom, minimalConfig, problemsOf } from "../../setup/minimal.ts";
import { verifies } from "../../verifies.ts";

const found = (changes: Readonly<Record<string, unknown>>): (readonly [string, string])[] =>
  problemsOf(() =>
    configFrom(minimalConfig({ data: "state", ...changes }), { ANCHOR: "Bearer of-ours" }),
  ).map(({ pointer, message }) => [pointer, message] as const);
const NONE = [["/ledger", "no anchor beyond loopback: a cut end of the log would not show"]];
const file = (path: string): object => ({ anchors: [{ kind: "file", path }] });
const syslog = (transport: string): object => ({
  anchors: [{ kind: "syslog", host: "logs.test", transport }],
});

describe("beyond loopback an anchor", () => {
  verifies("config.mistake-located", "is one that a cut of the log cannot reach", () => {
    expect(found({ ledger: {} })).toEqual(NONE);
    expect(found({ ledger: { without_anchor: "accepted" } })).toEqual([]);
    expect(found({ ledger: file("/mnt/audit/checkpoints") })).toEqual([]);
    expect(found({ ledger: file("state/ledger/anchored") })).toEqual(NONE);
    expect(found({ ledger: file("state-elsewhere/anchored") })).toEqual([]);
    expect(found({ ledger: syslog("udp") })).toEqual(NONE);
    expect(found({ ledger: syslog("tcp") })).toEqual([]);
  });

  verifies("config.mistake-located", "is required also where only the address is beyond", () => {
    const local = { public_url: "https://localhost:8484", ledger: {} };
    expect(found({ ...local, listen: { host: "127.0.0.1", port: 8484 } })).toEqual([]);
    expect(found({ ...local, listen: { host: "0.0.0.0", port: 8484 } })).toContainEqual(NONE[0]);
  });

  verifies("config.mistake-located", "is shown no credential in the clear", () => {
    const posted = (url: string, authorization?: string): object => ({
      anchors: [{ kind: "http", url, authorization }],
    });
    expect(found({ ledger: posted("http://anchors.test/put") })).toEqual([]);
    expect(found({ ledger: posted("https://anchors.test/put", "env:ANCHOR") })).toEqual([]);
    expect(found({ ledger: posted("http://anchors.test/put", "env:ANCHOR") })).toEqual([
      ["/ledger/anchors/0/url", "http://anchors.test/put is not https"],
    ]);
  });
});
