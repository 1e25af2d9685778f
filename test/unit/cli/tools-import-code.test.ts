// `tools import code` as an operator types it: the list, the drafts, and what it says no to.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, vi } from "vitest";
import { Stop } from "../../../src/cli/output.ts";
import { toolsImportCode } from "../../../src/cli/tools-import-code.ts";
import { parseGiven } from "../../../src/cli/verb.ts";
import { put, testFolder } from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";
import { verifies } from "../../verifies.ts";

const SHOP = join(import.meta.dirname, "../../fixtures/code/express");
const DESK = join(import.meta.dirname, "../../fixtures/code/fastify");

interface Ended {
  readonly code: number;
  readonly said: string;
  readonly printed: readonly Json[];
}

/** Runs the verb in this process; `--json` is given. */
async function ran(...args: readonly string[]): Promise<Ended> {
  const written: string[] = [];
  const stdout = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
  try {
    const code = await toolsImportCode.run(parseGiven(toolsImportCode, [...args, "--json"]));
    return { code, said: "", printed: written.map((one) => JSON.parse(one) as Json) };
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    return { code: error.code, said: error.message, printed: [] };
  } finally {
    stdout.mockRestore();
  }
}

verifies(
  "import.code-routes",
  "routes are listed with place and shapes, then the unread",
  async () => {
    const { code, printed } = await ran(SHOP);
    expect(code).toBe(0);
    expect(printed.find((one) => one["operation"] === "GET /admin/dump")).toMatchObject({
      file: "src/app.ts",
      line: 31,
      parameters: [],
      notes: [expect.stringContaining("only if"), "the code does not say what it answers"],
    });
    expect(printed.find((one) => one["operation"] === "PUT /admin/locks/{name}")).toMatchObject({
      parameters: [{ name: "name", in: "path" }],
      body: { properties: { reason: {}, until: {} } },
    });
    expect(printed.findLast((one) => one["unread"] === "path_regex")).toEqual({
      unread: "path_regex",
      file: "src/app.ts",
      line: 43,
      message: String.raw`its path is a regular expression: GET /^\/old-.*/`,
    });
  },
);

verifies("import.code-drafts", "drafts are those of a document; a human's file stays", async () => {
  const folder = testFolder();
  const args = [DESK, "--connector", "desk", "--tools", join(folder, "tools")];
  const reply = ["--operation", "POST /v1/tickets/{id}/replies"];
  const kept = ["--document", join(folder, "desk.json")];
  const first = await ran(...args, ...reply, "--operation", "GET /status", ...kept);
  expect(first.code).toBe(0);
  expect(first.printed[0]?.["drafts"]).toMatchObject([
    {
      name: "desk_reply",
      state: "written",
      left_out: ["nothing, but the code does not say what it answers"],
    },
    { name: "desk_get_status", state: "written", left_out: [] },
  ]);
  expect(first.printed[0]?.["unread"]).toHaveLength(7);
  const own = join(folder, "tools/desk");
  const file = join(own, "desk_reply.tool.yaml");
  expect(readFileSync(file, "utf8")).toContain(
    "operation: POST /v1/tickets/{id}/replies\ninput:\n",
  );
  const slice = JSON.parse(readFileSync(join(own, "contract/desk_reply.json"), "utf8")) as Json;
  expect(slice["source"]).toMatchObject({ from: "../desk.json" });
  writeFileSync(file, "name: desk_reply\noperation: POST /v1/tickets/{id}/replies\n");
  const again = await ran(...args, ...reply, ...kept);
  expect(again.printed[0]?.["drafts"]).toMatchObject([{ state: "differs" }]);
  expect(readFileSync(file, "utf8")).toMatch(/^name: desk_reply\n/);
});

verifies(
  "import.code-drafts",
  "without a document no contract is pinned, and that is said",
  async () => {
    const folder = testFolder();
    const args = ["--connector", "desk", "--tools", folder, "--operation", "GET /status"];
    const { printed } = await ran(DESK, ...args);
    expect(printed[0]?.["drafts"]).toMatchObject([
      { contract: expect.stringContaining("--document") },
    ]);
    expect(readdirSync(join(folder, "desk")).toSorted()).toEqual([
      "connector.yaml",
      "desk_get_status.tool.yaml",
    ]);
  },
);

verifies("import.choice", "what is not there is said by name: exit 1 or 2", async () => {
  const folder = testFolder();
  put(folder, "lib/plain.ts", "export const x = 1;");
  const file = put(folder, "mine.json", "{}");
  const shop = [SHOP, "--connector", "shop", "--tools", join(folder, "tools")];
  for (const [args, code, says] of [
    [[join(folder, "lib")], 1, ""],
    [[join(folder, "gone")], 2, "there is no such folder"],
    [[file], 2, "is no folder"],
    [[SHOP, "--operation", "GET /health"], 2, "--operation needs --connector"],
    [[SHOP, "--connector", "../x"], 2, "--connector is not"],
    [[...shop, "--operation", "GET /helth"], 2, 'no operation "GET /helth"'],
    [
      [...shop, "--operation", "GET /health", "--document", file],
      2,
      "was not written by this verb",
    ],
    [shop, 2, ""],
  ] as const) {
    const ended = await ran(...args);
    expect(ended.said).toContain(says);
    expect(ended.code).toBe(code);
  }
  expect(existsSync(join(folder, "tools"))).toBe(false);
  expect(readFileSync(file, "utf8")).toBe("{}");
});
