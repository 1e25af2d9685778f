// What operators do with the ledger: look behind a seal, find a text, erase a person, change the
// key, verify against an anchor, and go on after a loss.
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect } from "vitest";
import { csvCell } from "../../src/cli/audit-export.ts";
import { askLocal } from "../../src/console/local.ts";
import { verifyLedger } from "../../src/ledger/verify.ts";
import { openHouse } from "../setup/house.ts";
import type { House } from "../setup/house.ts";
import { callTool } from "../setup/mcp-post.ts";
import { verifies } from "../verifies.ts";

const run = promisify(execFile);
const NOTE = "ring Ms Petrosyan at seven";
// What a model can make of a name: nobody has such a tool.
const NO_TOOL = "ms_petrosyan_has_the_card_4929";

let house: House;
let call_id: string;

beforeAll(async () => {
  house = await openHouse();
  const url = house.ready.mcp["sales"] ?? "";
  const authorization = `Bearer ${await house.token("mia", "sales")}`;
  const args = { id: 42, stage: "proposal", note: NOTE };
  ({ call_id } = await callTool(url, authorization, "crm_update_deal_stage", args));
  for (const tool of [NO_TOOL, "crm_delete_customer"]) {
    expect((await callTool(url, authorization, tool, {})).text).toContain(`Unknown tool: ${tool}`);
  }
});

afterAll(() => house.close());

function ask(path: string, question: object): Promise<unknown> {
  return askLocal(house.data, "core", path, { os_user: "a tester", ...question });
}

function filesText(): string {
  const files = readdirSync(house.data, { recursive: true, withFileTypes: true });
  return files
    .filter((file) => file.isFile() && !file.parentPath.includes("world"))
    .map((file) => readFileSync(join(file.parentPath, file.name), "latin1"))
    .join("\n");
}

async function doorless(...args: string[]): Promise<{ code: number; stdout: string }> {
  try {
    const { stdout } = await run(process.execPath, ["bin/doorless.js", ...args]);
    return { code: 0, stdout };
  } catch (error) {
    const { code, stdout } = error as { code: number; stdout: string };
    return { code, stdout };
  }
}

verifies(
  "ledger.sealed",
  "a sealed text opens only with a reason, and that is recorded",
  async () => {
    const { records } = (await ask("/audit", { verb: "t", filter: { call_id, limit: 1 } })) as {
      records: Record<string, Record<string, unknown>>[];
    };
    expect(JSON.stringify(records)).not.toContain(NOTE);
    expect(records[0]?.["user"]).toBe("Mia Lindqvist");
    await expect(ask("/audit/reveal", { call_id, reason: "" })).rejects.toThrow(
      /^reason: at least 3 characters$/,
    );
    const { record } = (await ask("/audit/reveal", { call_id, reason: "a test" })) as {
      record: { args: unknown };
    };
    expect(record.args).toEqual({ id: 42, stage: "proposal", note: NOTE });
    expect(filesText()).toContain('"verb":"audit show --reveal"');
    const { digest } = (await ask("/audit/hash", { tenant: "acme", value: NOTE })) as {
      digest: string;
    };
    expect(records[0]?.["args"]?.["note"]).toMatchObject({ digest });
  },
);

async function attempts(filter: object): Promise<Record<string, unknown>[]> {
  const question = { verb: "audit query", filter: { outcome: "refused", limit: 9, ...filter } };
  return ((await ask("/audit", question)) as { records: Record<string, unknown>[] }).records;
}

verifies(
  "ledger.sealed",
  "the name of a tool that there is none of is sealed, and found by whoever knows it",
  async () => {
    const [hidden, unknown] = await attempts({});
    // An operator wrote that one: it is nobody's secret who tried it.
    expect(hidden).toMatchObject({ tool: "crm_delete_customer", error_code: "unknown_tool" });
    const { digest } = (await ask("/audit/hash", { tenant: "acme", value: NO_TOOL })) as {
      digest: string;
    };
    expect(unknown).toMatchObject({ tool: { digest, chars: NO_TOOL.length }, args: {} });
    expect(await attempts({ tool: NO_TOOL })).toEqual([{ ...unknown, tool: NO_TOOL }]);
    expect(await attempts({ tool: "crm_delete_customer" })).toEqual([hidden]);
    expect(await attempts({ tool: `${NO_TOOL}_` })).toEqual([]);
    const which = { call_id: unknown?.["call_id"], reason: "a test" };
    expect(await ask("/audit/reveal", which)).toMatchObject({ record: { tool: NO_TOOL } });
    await expect(ask("/who", { tool: NO_TOOL })).rejects.toThrow("not in the catalogue");
    expect(filesText() + house.logged()).not.toContain(NO_TOOL);
    expect(filesText()).toContain('"filter":{"tool":"crm_delete_customer"');
  },
);

verifies(
  "ledger.signed",
  "a rotated key attests its change, and old checkpoints hold",
  async () => {
    const before = readFileSync(join(house.data, "keys", "ledger-signing.pub"), "utf8").trim();
    const { verifier } = (await ask("/keys/rotate", {})) as { verifier: string };
    const after = readFileSync(join(house.data, "keys", "ledger-signing.pub"), "utf8");
    expect(after).toContain(before);
    expect(after).toContain(verifier);
  },
);

verifies(["ledger.hold", "ledger.erase"], "a legal hold keeps a person's key", async () => {
  const hold = { subject: "mia", reason: "case 7 of the court" };
  expect(await ask("/audit/hold", hold)).toMatchObject({ holds: [{ what: "placed" }] });
  const second = await ask("/audit/hold", { ...hold, reason: "case 8" });
  expect(second).toMatchObject({ holds: [{ what: "already there", reason: hold.reason }] });
  const { holds } = (await ask("/audit/holds", {})) as { holds: object[] };
  expect(holds).toMatchObject([{ subject: "mia", reason: "case 7 of the court" }]);
  const erasure = ask("/audit/erase", { subject: "mia", reason: "she asked" });
  await expect(erasure).rejects.toThrow("under a legal hold");
  expect(filesText()).toContain('"reason":"she asked","under_hold":true');
  const asked = ["--subject", "mia", "--reason", "she asked", "--data", house.data];
  expect((await doorless("audit", "erase", ...asked)).code).toBe(1);
  const { record } = (await ask("/audit/reveal", { call_id, reason: "a test" })) as {
    record: { args: unknown };
  };
  expect(record.args).toMatchObject({ note: NOTE });
  const release = { ...hold, release: true };
  expect(await ask("/audit/hold", release)).toMatchObject({ holds: [{ what: "released" }] });
  expect(await ask("/audit/hold", release)).toMatchObject({ holds: [{ what: "there was none" }] });
  expect(await ask("/audit/holds", {})).toEqual({ holds: [] });
});

const ALREADY = expect.stringMatching(
  /^TENANT +ISSUER +SUBJECT +KEY\nacme .* mia +already erased, on \d{4}-\d\d-\d\dT/,
) as string;

verifies("ledger.erase", "after an erasure no file holds the name or the text", async () => {
  const { erased } = (await ask("/audit/erase", { subject: "mia", reason: "she asked" })) as {
    erased: { subject: string; key: string }[];
  };
  expect(erased).toMatchObject([{ subject: "mia", key: "erased" }]);
  const { record } = (await ask("/audit/reveal", { call_id, reason: "a test" })) as {
    record: { args: unknown; user: string; target: string };
  };
  expect(record.args).toMatchObject({ stage: "proposal", note: { erased: true } });
  expect(record).toMatchObject({ user: "mia", target: "deal:42" });
  const [found] = await attempts({ tool: NO_TOOL });
  const which = { call_id: found?.["call_id"], reason: "a test" };
  expect(await ask("/audit/reveal", which)).toMatchObject({ record: { tool: { erased: true } } });
  const text = filesText();
  expect(text).not.toContain(NO_TOOL);
  expect(text).not.toContain("Lindqvist");
  expect(text).not.toContain(NOTE);
  await ask("/audit/reindex", {});
  expect(filesText()).not.toContain("Lindqvist");
  // A second time it is said when that was, and not as if it were done anew.
  const again = await doorless("audit", "erase", "--subject", "mia", "--data", house.data);
  expect(again).toMatchObject({ code: 0, stdout: ALREADY });
  const nobody = { subject: "nobody", reason: "x y z" };
  await expect(ask("/audit/erase", nobody)).rejects.toThrow('nobody is called "nobody"');
});

verifies(
  ["ledger.signed", "ledger.repair"],
  "what is cut, changed or lost is found, and goes on only with the loss on record",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "doorless-repair-"));
    const data = join(folder, "data");
    try {
      await house.stopCore();
      cpSync(house.data, data, { recursive: true });
      const [segment = ""] = readdirSync(join(data, "ledger")).filter((n) => n.endsWith(".jsonl"));
      const file = join(data, "ledger", segment);
      const lines = readFileSync(file, "utf8").trimEnd().split("\n");
      const keys = join(data, "keys", "ledger-signing.pub");
      const anchor = join(folder, "anchor");
      cpSync(join(data, "ledger", "checkpoints"), anchor);
      expect(verifyLedger(join(data, "ledger"), { public_keys: keys }).covered_to).toBe(
        lines.length,
      );

      // The tail and every checkpoint of it are cut: only the anchor knows.
      writeFileSync(file, `${lines.slice(0, 2).join("\n")}\n`);
      writeFileSync(join(data, "ledger", "checkpoints"), "");
      const cut = verifyLedger(join(data, "ledger"), { public_keys: keys, anchors: [anchor] });
      expect(cut.intact).toBe(false);

      writeFileSync(file, `${lines.join("\n").replace('"stage":"proposal"', '"stage":"lost"')}\n`);
      cpSync(anchor, join(data, "ledger", "checkpoints"));
      expect((await doorless("audit", "verify", join(data, "ledger"))).code).toBe(1);
      expect((await doorless("audit", "repair", "--data", data)).code).toBe(2);
      const repaired = await doorless("audit", "repair", "--accept-loss", "--data", data, "--json");
      expect(repaired.code).toBe(0);
      const { kept_to, evidence } = JSON.parse(repaired.stdout) as Record<string, number | string>;
      expect(kept_to).toBeGreaterThan(0);
      expect(kept_to).toBeLessThan(lines.length);
      expect(readFileSync(join(String(evidence), segment), "utf8")).toContain('"stage":"lost"');
      expect(readFileSync(file, "utf8")).toContain('"event":"repaired"');
      expect((await doorless("audit", "verify", join(data, "ledger"))).code).toBe(0);

      // Without the key that signs nobody could start one, and so ask it for another.
      rmSync(join(data, "keys", "ledger-signing.pem"));
      const rotated = await doorless("keys", "rotate", "--data", data, "--json");
      expect(rotated.code).toBe(0);
      const { verifier } = JSON.parse(rotated.stdout) as { verifier: string };
      expect(readFileSync(keys, "utf8")).toContain(verifier);
      expect(readFileSync(file, "utf8")).toContain('"event":"key_rotated"');
      expect((await doorless("audit", "verify", join(data, "ledger"))).code).toBe(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

verifies("ledger.export", "a cell that a spreadsheet would execute is inert", () => {
  expect(csvCell("=HYPERLINK(1)")).toBe(`"'=HYPERLINK(1)"`);
  expect(csvCell("+1")).toBe(`"'+1"`);
  for (const sign of ["-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"]) {
    expect(csvCell(`${sign}SUM(A1)`)).toBe(`"'${sign}SUM(A1)"`);
  }
  expect(csvCell('a "b"')).toBe('"a ""b"""');
  expect(csvCell(null)).toBe("");
  expect(csvCell({ a: 1 })).toBe('"{""a"":1}"');
});

verifies("ledger.export", "an export has every record once, in both formats", async () => {
  const jsonl = await doorless("audit", "export", "--format", "jsonl", "--data", house.data);
  const csv = await doorless("audit", "export", "--format", "csv", "--data", house.data);
  const records = jsonl.stdout.trim().split("\n");
  expect(records).toHaveLength(3);
  expect(JSON.parse(records.at(-1) ?? "")).toMatchObject({ call_id, subject: "mia" });
  const rows = csv.stdout.trim().split("\n");
  expect(rows).toHaveLength(4);
  expect(rows[0]).toMatch(/,count,replay_of$/);
  expect(rows[1]).toMatch(/,"1",(?:"")?$/);
  const ocsf = await doorless("audit", "export", "--format", "ocsf", "--data", house.data);
  const events = ocsf.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as object);
  expect(events.at(-1)).toMatchObject({ class_uid: 6003, metadata: { uid: call_id } });
  expect(events).toHaveLength(3);
  expect((await doorless("audit", "export", "--data", house.data)).code).toBe(2);
});
