// `audit export --format parquet` and `audit report`, on the files of a ledger that nothing runs.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { expect, onTestFinished, vi } from "vitest";
import { auditExport } from "../../../src/cli/audit-export.ts";
import { auditReport } from "../../../src/cli/audit-report.ts";
import { withDuckdb } from "../../../src/cli/duckdb.ts";
import { Stop } from "../../../src/cli/output.ts";
import { parseGiven } from "../../../src/cli/verb.ts";
import type { Verb } from "../../../src/cli/verb.ts";
import { testFolder } from "../../setup/minimal.ts";
import { verifies } from "../../verifies.ts";
import { call, intent, opened, outcome, refusalOf } from "../ledger/entries.ts";

const LIBRARY = "@duckdb/node-api";
const skip = isThere() ? undefined : `${LIBRARY} is not installed`;
const SEALED = { sealed: "key_1.iv|text|tag", digest: "hmac-sha256:x", chars: 9 };

function isThere(): boolean {
  try {
    createRequire(import.meta.url).resolve(LIBRARY);
    return true;
  } catch {
    return false;
  }
}

async function ran(verb: Verb, ...args: readonly string[]) {
  let stdout = "";
  let stderr = "";
  const out = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    stdout += String(text);
    return true;
  });
  const err = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
  try {
    return { code: await verb.run(parseGiven(verb, args)), stdout, said: stderr };
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    return { code: error.code, stdout, said: error.message };
  } finally {
    out.mockRestore();
    err.mockRestore();
  }
}

/** The data folder of a ledger of two days, closed. */
async function dataOf(): Promise<string> {
  const data = testFolder();
  mkdirSync(join(data, "ledger"));
  const { ledger, clock } = await opened(join(data, "ledger"));
  await call(ledger, "read", {
    effects: { readOnly: true, destructive: false, idempotent: true, openWorld: false },
    tool: "item_get",
  });
  await call(ledger, "write", { approved_by: "boss", args: { id: 7, note: SEALED } });
  clock.ms += 86_400_000;
  await ledger.intent(intent("lost"));
  await ledger.outcome(outcome("lost", { outcome: "timeout", effect: "unknown" }));
  await ledger.refusal(refusalOf("often", { count: 40 }));
  const unknown = { tool: SEALED, effects: null, target: null, outcome: "refused" } as const;
  await ledger.refusal(refusalOf("none", { ...unknown, error_code: "unknown_tool" }));
  await ledger.close();
  return data;
}

async function exported(data: string, ...args: readonly string[]) {
  const file = join(testFolder(), "o'[u]r calls.parquet");
  const out = ["--format", "parquet", "--out", file, "--data", data];
  return { file, ...(await ran(auditExport, ...out, ...args)) };
}

const WHO = { user: "Ada L.", tenant: "acme", issuer: "https://login.test", subject: "ada" };
const REPORT = {
  filter: {},
  calls: [
    { ...WHO, tool: "(unknown)", outcome: "refused", calls: 1 },
    { ...WHO, tool: "item_get", outcome: "ok", calls: 1 },
    { ...WHO, tool: "item_put", outcome: "ok", calls: 1 },
    { ...WHO, tool: "item_put", outcome: "rate_limited", calls: 40 },
    { ...WHO, tool: "item_put", outcome: "timeout", calls: 1 },
  ],
  writes: [{ ...WHO, kind: "item", tool: "item_put", done: 1, unknown: 1 }],
  refusals: [
    { error_code: "rate_limited", outcome: "rate_limited", effect: "none", calls: 40 },
    { error_code: "unknown_tool", outcome: "refused", effect: "none", calls: 1 },
  ],
  approvals: [{ approved_by: "boss", ...WHO, tool: "item_put", outcome: "ok", calls: 1 }],
  days: [
    { day: "2026-03-14", calls: 2, writes: 1, refusals: 0 },
    { day: "2026-03-15", calls: 42, writes: 0, refusals: 41 },
  ],
};

verifies(
  ["ledger.parquet", "ledger.report"],
  "a report counts the same in the log and in the Parquet file of it, each call once",
  async () => {
    const data = await dataOf();
    const { file, code, said } = await exported(data);
    expect({ code, said }).toMatchObject({ code: 0, said: expect.stringContaining("complete to") });
    const ofLog = await ran(auditReport, "--json", "--data", data);
    const ofFile = await ran(auditReport, "--json", "--file", file);
    expect(JSON.parse(ofLog.stdout)).toMatchObject(REPORT);
    expect(JSON.parse(ofFile.stdout)).toEqual(JSON.parse(ofLog.stdout));
    const day = await ran(auditReport, "--json", "--file", file, "--to", "2026-03-14");
    expect(JSON.parse(day.stdout)).toMatchObject({ days: [{ day: "2026-03-14", calls: 2 }] });
    // A part of the log says so, whatever a report asks of it.
    const part = await exported(data, "--tool", "item_get", "--from", "2026-03-14");
    const asked = await ran(auditReport, "--file", part.file, "--from", "2020-01-01");
    expect(asked.stdout).toMatch(/^only of: tool item_get, from 2026-03-14T00:00:00.000Z\n/);
  },
  { skip },
);

verifies(
  "ledger.parquet",
  "the file has typed columns, newest first, what is sealed sealed, and is its owner's alone",
  async () => {
    const data = await dataOf();
    const { file } = await exported(data);
    const rows = await withDuckdb(file, (db) =>
      db.rows(
        `SELECT call_id, typeof(time) AS t, typeof(count) AS n, epoch_ms(time)::DOUBLE AS ms,
           read_only, args, tool FROM read_parquet($file)`,
        { file },
      ),
    );
    expect(rows.map(({ call_id }) => call_id)).toEqual(["none", "often", "lost", "write", "read"]);
    expect(rows[3]).toEqual({
      call_id: "write",
      t: "TIMESTAMP WITH TIME ZONE",
      n: "BIGINT",
      ms: Date.parse("2026-03-14T09:26:53.000Z"),
      read_only: false,
      args: JSON.stringify({ id: 7, note: SEALED }),
      tool: "item_put",
    });
    expect(rows[0]).toMatchObject({ tool: JSON.stringify(SEALED), read_only: null });
    const before = readFileSync(file);
    const again = await ran(auditExport, "--format", "parquet", "--out", file, "--data", data);
    expect(again).toMatchObject({ code: 2, said: expect.stringContaining("not overwritten") });
    expect(readFileSync(file)).toEqual(before);
  },
  { skip },
);

verifies(
  "ledger.parquet",
  "a file is asked for, of Parquet alone, and goes again where the export fails",
  async () => {
    const nowhere = testFolder();
    const file = join(nowhere, "x.parquet");
    const at = ["--data", nowhere];
    const missing = await ran(auditExport, "--format", "parquet", ...at);
    expect(missing).toMatchObject({
      code: 2,
      said: expect.stringMatching(/^--out FILE is missing/),
    });
    const csv = await ran(auditExport, "--format", "csv", "--out", file, ...at);
    expect(csv).toMatchObject({ code: 2, said: expect.stringMatching(/^--out is for parquet/) });
    expect(await ran(auditExport, "--format", "parquet", "--out", file, ...at)).toMatchObject({
      code: 4,
    });
    expect(existsSync(file)).toBe(false);
    writeFileSync(file, "PAR1 or not");
    const report = await ran(auditReport, "--file", file);
    expect(report).toMatchObject({ code: 2, said: expect.stringContaining("is not what") });
  },
  { skip },
);

verifies(
  "ledger.report",
  "DuckDB reaches the one file that it is given, and nothing else",
  async () => {
    const { file } = await exported(await dataOf());
    const other = join(dirname(file), "other.parquet");
    await withDuckdb(file, async (db) => {
      const sqls = [
        "SELECT * FROM read_csv('/etc/hostname')",
        "SELECT * FROM read_parquet('https://127.0.0.1:9/x.parquet')",
        `COPY (SELECT 1) TO '${other}'`,
        `ATTACH '${other}'`,
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
      ];
      for (const sql of sqls) {
        await expect(db.rows(sql), sql).rejects.toThrow(/disabled|locked|cannot/i);
      }
    });
    expect(existsSync(other)).toBe(false);
  },
  { skip },
);

verifies(
  ["ledger.parquet", "ledger.report"],
  "without DuckDB both end with exit code 2 and say what to install",
  async () => {
    vi.doMock(LIBRARY, () => {
      throw new Error("not there");
    });
    onTestFinished(() => {
      vi.doUnmock(LIBRARY);
    });
    vi.resetModules();
    const fresh = await import("../../../src/cli/duckdb.ts");
    await expect(fresh.withDuckdb(undefined, () => Promise.resolve())).rejects.toMatchObject({
      code: 2,
      message: expect.stringContaining(`npm install ${LIBRARY}`) as string,
    });
  },
);
