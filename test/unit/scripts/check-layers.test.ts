// The import check, with violations planted in a house of its own.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { checkLayers } from "../../../scripts/check-layers.ts";
import { verifies } from "../../verifies.ts";

const homes: string[] = [];

afterEach(() => {
  for (const home of homes.splice(0)) rmSync(home, { recursive: true });
});

/** A sound little house; each test adds what is wrong. */
function build(files: Record<string, string>): string {
  const home = mkdtempSync(join(tmpdir(), "doorless-layers-"));
  homes.push(home);
  const sound = {
    "src/kernel/ids.ts": 'export const id = "a";\n',
    "src/gate/call.ts": 'import { id } from "../kernel/ids.ts";\nexport const call = id;\n',
  };
  for (const [file, text] of Object.entries({ ...sound, ...files })) {
    mkdirSync(dirname(join(home, file)), { recursive: true });
    writeFileSync(join(home, file), text);
  }
  return home;
}

function findings(files: Record<string, string>): string[] {
  return checkLayers(build(files)).findings.map(
    ({ file, line, rule }) => `${file}:${line} ${rule}`,
  );
}

describe("one way", () => {
  test("a sound house has no findings", () => {
    expect(findings({})).toEqual([]);
  });

  const GATE: Record<string, string> = {
    static: 'import { call } from "../gate/call.ts";\nvoid call;\n',
    "type-only": 'import type { call } from "../gate/call.ts";\nexport type C = typeof call;\n',
    "import type": 'export type C = import("../gate/call.ts").call;\n',
    dynamic: 'export const c = await import("../gate/call.ts");\n',
    "template dynamic": "export const c = await import(`../gate/call.ts`);\n",
    "re-export": 'export { call } from "../gate/call.ts";\n',
    "star export": 'export * from "../gate/call.ts";\n',
    require: 'export const c = require("../gate/call.ts");\n',
    "worker URL": 'export const c = new URL("../gate/call.ts", import.meta.url);\n',
  };
  for (const [kind, text] of Object.entries(GATE)) {
    verifies("house.layers", `an upward ${kind} import is found`, () => {
      expect(findings({ "src/session/a.ts": text })).toEqual(["src/session/a.ts:1 one-way"]);
    });
  }

  verifies("house.layers", "the message says file, line, what, rule and mend", () => {
    const home = build({ "src/session/a.ts": '\nimport "../gate/call.ts";\n' });
    expect(checkLayers(home).findings).toEqual([
      {
        file: "src/session/a.ts",
        line: 2,
        what: "imports ../gate/call.ts",
        rule: "one-way",
        mend: expect.stringContaining("Declare a port in session/") as string,
      },
    ]);
  });

  verifies("house.layers", "only main.ts and cli/ know the composition root", () => {
    const main = { "src/main.ts": 'import "./gate/call.ts";\nimport "hono";\n' };
    expect(findings({ ...main, "src/cli/a.ts": 'import "../main.ts";\n' })).toEqual([]);
    expect(findings({ ...main, "src/web/a.ts": 'import "../main.ts";\n' })).toEqual([
      "src/web/a.ts:1 composition-root",
    ]);
  });

  verifies("house.layers", "src reaches neither tools nor tests, and only cli the demo", () => {
    const demo = { "demo/world.ts": "export const world = 1;\n" };
    expect(findings({ ...demo, "src/cli/a.ts": 'import "../../demo/world.ts";\n' })).toEqual([]);
    expect(findings({ ...demo, "src/web/a.ts": 'import "../../demo/world.ts";\n' })).toEqual([
      "src/web/a.ts:1 no-demo",
    ]);
    expect(findings({ "src/cli/a.ts": 'import "../../tools/a.ts";\n' })).toHaveLength(1);
    expect(findings({ "src/cli/a.ts": 'import "../../test/a.ts";\n' })).toHaveLength(1);
  });

  verifies("house.layers", "the demo and the tools stand alone", () => {
    expect(findings({ "demo/a.ts": 'import "../src/kernel/ids.ts";\n' })).toEqual([
      "demo/a.ts:1 demo-alone",
    ]);
    const tool = 'import "doorless/tool";\nimport "node:fs";\nimport "../../src/kernel/ids.ts";\n';
    expect(findings({ "tools/crm/a.tool.ts": tool })).toEqual([
      "tools/crm/a.tool.ts:2 tools-alone",
      "tools/crm/a.tool.ts:3 tools-alone",
    ]);
  });

  verifies("house.layers", "a cycle of files is found, even of types within one room", () => {
    const report = checkLayers(
      build({
        "src/gate/a.ts": 'import type { B } from "./b.ts";\nexport type A = B;\n',
        "src/gate/b.ts": 'import type { A } from "./a.ts";\nexport type B = A;\n',
      }),
    );
    expect(report.findings.map(({ what }) => what)).toEqual([
      "closes the cycle src/gate/a.ts -> src/gate/b.ts -> src/gate/a.ts",
    ]);
  });

  verifies("house.layers", "a folder that is no room is found", () => {
    expect(findings({ "src/helpers/a.ts": "", "src/stray.ts": "" })).toEqual([
      "src/helpers/a.ts:1 rooms",
      "src/stray.ts:1 rooms",
    ]);
  });
});

describe("rooms of libraries", () => {
  const WRONG: Record<string, string> = {
    'import { jwtVerify } from "jose";': "library-room",
    'import type { Pool } from "pg";': "library-room",
    'import "@modelcontextprotocol/server/deep";': "library-room",
    'import "left-pad";': "library-room",
    'import "node:sqlite";': "builtin-room",
    'import "node:child_process";': "builtin-room",
    'import "node:http";': "builtin-room",
    'process.getBuiltinModule("node:worker_threads");': "builtin-room",
    'import "fs";': "node-prefix",
  };
  for (const [text, rule] of Object.entries(WRONG)) {
    verifies("house.layers", `policy/ may not hold: ${text}`, () => {
      expect(findings({ "src/policy/a.ts": text })).toEqual([`src/policy/a.ts:1 ${rule}`]);
    });
  }

  test("in its room a library is welcome", () => {
    const text = 'import "zod";\nimport "node:fs";\n';
    expect(
      findings({
        "src/identity/a.ts": `${text}import "jose";\nimport "openid-client";\n`,
        "src/store/a.ts": `${text}import "node:sqlite";\nimport "pg";\n`,
        "src/ledger/index-sqlite.ts": `${text}import "node:sqlite";\n`,
        "src/telemetry/a.ts": `${text}import "@opentelemetry/api";\nimport "pino";\n`,
        "src/cli/a.ts": `${text}import "@modelcontextprotocol/client";\n`,
      }),
    ).toEqual([]);
  });

  verifies("house.layers", "an import that is computed is found outside the sandbox", () => {
    const text = "export const load = (path: string) => import(path);\n";
    expect(findings({ "src/sandbox/a.ts": text, "src/catalog/a.ts": text })).toEqual([
      "src/catalog/a.ts:1 computed-import",
    ]);
  });

  verifies("house.layers", "console in src is found, in the demo it is not", () => {
    const text = 'console.log("a");\nglobalThis.console.warn("b");\nconst { log } = console;\n';
    expect(findings({ "src/web/a.ts": text, "demo/a.ts": text })).toEqual([
      "src/web/a.ts:1 no-console",
      "src/web/a.ts:2 no-console",
      "src/web/a.ts:3 no-console",
    ]);
    expect(findings({ "src/web/a.ts": "export const urls = { console: 1 };\n" })).toEqual([]);
  });
});

describe("a check that looks at nothing", () => {
  verifies("house.layers", "fails on zero imports in src", () => {
    const home = mkdtempSync(join(tmpdir(), "doorless-layers-"));
    homes.push(home);
    expect(checkLayers(home).findings.map(({ rule }) => rule)).toEqual(["zero-edges"]);
  });

  test("sees this repository's own imports", () => {
    expect(checkLayers(resolve(import.meta.dirname, "../../..")).edges).toBeGreaterThan(20);
  });
});
