// YAML that was written to do more than name things.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { loadCatalog } from "../../../src/catalog/load.ts";
import { verifies } from "../../verifies.ts";
import { catalogFolder, problemsOf, toolFile } from "../../setup/minimal.ts";

const BOMB = [
  'a: &a ["x","x","x","x","x","x","x","x","x"]',
  ..."bcdefghij".split("").map((name, i) => {
    const above = "abcdefghij"[i] ?? "a";
    return `${name}: &${name} [${Array(9).fill(`*${above}`).join(",")}]`;
  }),
].join("\n");

const FILES: Readonly<Record<string, string>> = {
  "an alias bomb": BOMB,
  "an alias to itself": "name: &a [*a]\n",
  "a tag that names a type": "name: !!js/function 'function () { return 1 }'\n",
  "a tag of its own": "name: !exec ls\n",
  "a regular expression tag": "name: !!js/regexp /a/\n",
  "a merge key": "base: &b { name: item_get }\n<<: *b\n",
  "a key given twice": "name: item_get\nname: item_put\n",
  "two documents": `---\n${JSON.stringify(toolFile("item_get"))}\n---\nname: other\n`,
  "__proto__ as a key": '{"__proto__": {"name": "item_get"}}',
  "a list": "- name: item_get\n",
  "a word": "item_get",
  nothing: "",
  "what is not YAML": "name: [unclosed\n\t- x: {",
  "a megabyte": `description: ${"x".repeat(1_000_000)}\n`,
  "a quarter megabyte of two-byte letters": JSON.stringify({
    ...toolFile("item_get"),
    examples: "é".repeat(140_000),
  }),
};

describe("a tool file", () => {
  for (const [what, text] of Object.entries(FILES)) {
    verifies("broker.tool-files", `of ${what} is a problem at once, and nothing else`, () => {
      const folder = catalogFolder({ "item_get.tool.yaml": text });
      const started = performance.now();
      const problems = problemsOf(() => loadCatalog(folder));
      expect(performance.now() - started).toBeLessThan(4000);
      expect(problems.length).toBeGreaterThan(0);
      for (const { file } of problems) expect(file).toBe(`${folder}/shop/item_get.tool.yaml`);
      expect(({} as Record<string, unknown>)["name"]).toBeUndefined();
    });
  }

  verifies(
    "broker.tool-files",
    "of 256 KiB is read, one byte more is not, whatever the letters",
    () => {
      const file = JSON.stringify(toolFile("item_get"));
      const padded = (bytes: number): string => {
        const comment = "é".repeat(50_000);
        const used = Buffer.byteLength(`${file}\n#${comment}`);
        return `${file}\n#${comment}${"x".repeat(bytes - used)}`;
      };
      const folder = catalogFolder({ "item_get.tool.yaml": padded(262_144) });
      expect(problemsOf(() => loadCatalog(folder))).toEqual([]);
      writeFileSync(join(folder, "shop/item_get.tool.yaml"), padded(262_145));
      expect(problemsOf(() => loadCatalog(folder))[0]?.message).toMatch(/larger than 262144 bytes/);
    },
  );
});
