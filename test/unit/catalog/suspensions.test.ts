// Which tools stop because of what a check found, and that a restart changes nothing about it.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect } from "vitest";
import type { Verdict } from "../../../src/catalog/drift.ts";
import { Suspensions } from "../../../src/catalog/suspensions.ts";
import type { Severity } from "../../../src/contract/rules.ts";
import { verifies } from "../../verifies.ts";

const folder = mkdtempSync(join(tmpdir(), "doorless-suspensions-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const newFile = (): string => join(folder, `${++files}.json`);

function verdict(severity: Severity | undefined, more: Partial<Verdict> = {}): Verdict {
  const finding = {
    rule: "some-rule",
    severity: severity ?? "info",
    side: "response",
    pointer: "/200/body/na\u202eme",
    text: "",
    fingerprint: "0123456789ab",
    accepted: severity === undefined,
  } as const;
  const base = { tool: "a_get", connector: "a", read_only: true, severity, findings: [finding] };
  return { ...base, state: "drift", ...more };
}

function stops(file: string, ...verdicts: Verdict[]): Suspensions {
  const suspensions = new Suspensions(file);
  suspensions.take(verdicts);
  return suspensions;
}

verifies("contract.live", "a break stops its tool and no other of its API, with the rule", () => {
  const suspensions = stops(newFile(), verdict("break"));
  const refused = suspensions.of("a_get", "a");
  expect(refused).toMatchObject({
    code: "contract_drift",
    effect: "none",
    details: { severity: "break", rules: [{ id: "some-rule", pointer: "/200/body/na?me" }] },
  });
  expect(suspensions.of("a_list", "a")).toBeUndefined();
});

verifies("contract.live", "what is critical stops every tool of that API, and of no other", () => {
  const suspensions = stops(newFile(), verdict("critical"));
  expect(suspensions.of("a_list", "a")?.code).toBe("contract_drift");
  expect(suspensions.of("b_get", "b")).toBeUndefined();
  expect(suspensions.of("run_code", undefined)).toBeUndefined();
});

verifies("contract.live", "a warning of what a write sends stops the write, and no read", () => {
  const [finding] = verdict("warn").findings;
  if (finding === undefined) throw new Error("no finding");
  const findings = [{ ...finding, side: "request" as const }];
  const write = { findings, read_only: false };
  expect(stops(newFile(), verdict("warn", write)).of("a_get", "a")?.code).toBe("contract_drift");
  expect(stops(newFile(), verdict("warn", { findings })).of("a_get", "a")).toBeUndefined();
  expect(stops(newFile(), verdict("warn", { read_only: false })).of("a_get", "a")).toBeUndefined();
});

verifies("contract.live", "what is accepted, or only information, stops nothing", () => {
  expect(stops(newFile(), verdict(undefined)).of("a_get", "a")).toBeUndefined();
  expect(stops(newFile(), verdict("info")).of("a_get", "a")).toBeUndefined();
});

verifies("contract.live", "a stop outlives a restart and a document that cannot be read", () => {
  const file = newFile();
  stops(file, verdict("break"));
  const again = new Suspensions(file);
  expect(again.take([verdict(undefined, { state: "unverified", findings: [] })])).toBe(false);
  expect(again.of("a_get", "a")?.code).toBe("contract_drift");
  expect(again.take([verdict(undefined, { state: "same", findings: [] })])).toBe(true);
  expect(new Suspensions(file).of("a_get", "a")).toBeUndefined();
});

verifies("contract.live", "a file of stops that cannot be understood stops the start", () => {
  const file = newFile();
  writeFileSync(file, '{"a_get":{}}');
  expect(() => new Suspensions(file)).toThrow();
});

verifies(
  "contract.live",
  "a stopped tool that is away stays stopped; one that is gone does not",
  () => {
    const suspensions = stops(newFile(), verdict("break"));
    expect(suspensions.take([], (tool) => tool === "a_get")).toBe(false);
    expect(suspensions.has("a_get")).toBe(true);
    expect(suspensions.take([])).toBe(true);
    expect(suspensions.has("a_get")).toBe(false);
  },
);

verifies(
  "contract.live",
  "what the disk did not take is in force, and is kept by the next check",
  () => {
    const file = join(folder, "later", "stops.json");
    const suspensions = new Suspensions(file);
    expect(() => suspensions.take([verdict("break")])).toThrow();
    expect(suspensions.of("a_get", "a")?.code).toBe("contract_drift");
    mkdirSync(join(folder, "later"));
    expect(suspensions.take([verdict("break")])).toBe(true);
    expect(new Suspensions(file).of("a_get", "a")?.code).toBe("contract_drift");
  },
);
