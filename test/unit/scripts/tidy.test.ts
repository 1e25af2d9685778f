// The house style check, with one breach planted per rule.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { tidy } from "../../../scripts/tidy.ts";
import { verifies } from "../../verifies.ts";

const homes: string[] = [];

afterEach(() => {
  for (const home of homes.splice(0)) rmSync(home, { recursive: true });
});

function findings(file: string, text: string): string[] {
  const home = mkdtempSync(join(tmpdir(), "doorless-tidy-"));
  homes.push(home);
  mkdirSync(dirname(join(home, file)), { recursive: true });
  writeFileSync(join(home, file), text);
  return tidy(home).map(({ line, rule }) => `${line} ${rule}`);
}

const lines = (count: number, text = "x();\n"): string => text.repeat(count);

verifies("house.tidy", "a file of 400 lines passes, one of 401 does not", () => {
  expect(findings("demo/a.ts", lines(400))).toEqual([]);
  expect(findings("demo/a.ts", lines(401))).toEqual(["1 file-lines"]);
});

verifies("house.tidy", "a function of 70 lines passes, one of 71 does not", () => {
  for (const head of ["function f() {", "const f = () => {", "class C { m() {"]) {
    const tail = head.startsWith("class") ? "} }\n" : "}\n";
    expect(findings("demo/a.ts", `${head}\n${lines(68)}${tail}`)).toEqual([]);
    expect(findings("demo/a.ts", `${head}\n${lines(69)}${tail}`)).toEqual(["1 function-lines"]);
  }
});

test("a describe block of a test may be longer, its tests may not", () => {
  const block = (inner: string) => `describe.for([1])("b", () => {\n${inner}});\n`;
  expect(findings("test/a.test.ts", block(lines(90)))).toEqual([]);
  const long = block(`test("c", () => {\n${lines(70)}});\n`);
  expect(findings("test/a.test.ts", long)).toEqual(["2 function-lines"]);
  expect(findings("demo/a.ts", block(lines(90)))).toEqual(["1 function-lines"]);
});

verifies("house.tidy", "a line of 100 columns passes, one of 101 does not", () => {
  expect(findings("demo/a.ts", `// ${"x".repeat(97)}\n`)).toEqual([]);
  expect(findings("demo/a.ts", `// ${"x".repeat(98)}\n`)).toEqual(["1 line-columns"]);
});

const DECLARED = [
  "const tokenHelper = 1;",
  "function commonPath() {}",
  "class SessionManager {}",
  "type Misc = 1;",
  "interface A { url_utils: 1 }",
  "const f = (fallback: number) => fallback;",
  "const { a: HTTPHelper } = b;",
  "class A { #manager = 1; }",
  "const serviceAccount = 1;",
];
for (const text of DECLARED) {
  verifies("house.tidy", `a banned name is found in: ${text}`, () => {
    expect(findings("test/a.ts", text)).toEqual(["1 banned-name"]);
  });
}

test("what only contains a banned word, or is data, passes", () => {
  const text = "const commonly = 1, managed = { manager: 1 }, futile = a.fallback;\n";
  expect(findings("test/a.ts", text)).toEqual([]);
});

test("the demo's people may be managers", () => {
  expect(findings("demo/a.ts", "const isManager = 1;\n")).toEqual([]);
});

verifies("house.tidy", "a banned file name is found, in folders too", () => {
  for (const file of ["src/web/http-utils.ts", "test/helpers/a.md", "docs/serviceAccount.md"]) {
    expect(findings(file, "// a\n")).toEqual(["1 banned-name"]);
  }
});

verifies("house.tidy", "src does not even speak of what the design excludes", () => {
  expect(findings("src/web/a.ts", "// Not a service-account mode.\n")).toEqual(["1 banned-name"]);
  expect(findings("docs/a.md", "There is no service account.\n")).toEqual([]);
});

verifies("house.tidy", "a file of src begins with a comment", () => {
  expect(findings("src/web/a.ts", "export const a = 1;\n")).toEqual(["1 header"]);
  expect(findings("src/web/a.ts", "/** Owns a. */\nexport const a = 1;\n")).toEqual([]);
});

verifies("house.tidy", "a path of one machine is found, a URL or a longer path is not", () => {
  for (const path of ["/work/main", "/root/.npmrc", "/home/me", "file:///home/me"]) {
    expect(findings("docs/a.md", `see ${path}/x\n`)).toEqual(["1 machine-path"]);
    expect(findings("a.json", `{"a":"${path}/x"}\n`)).toEqual(["1 machine-path"]);
  }
  const fine = "https://a.example/home/x src/work/a.ts ./root/x ${base}/home/ a//work/b\n";
  expect(findings("docs/a.md", fine)).toEqual([]);
});

verifies(
  ["house.tidy", "house.fresh-clone"],
  "a package registry is found, in the lockfile too",
  () => {
    const lock = '{\n  "resolved": "https://packages.example/a.tgz"\n}\n';
    expect(findings("package-lock.json", lock)).toEqual(["2 registry-host"]);
    expect(findings(".npmrc", "registry=https://registry.npmjs.org\n")).toEqual([
      "1 registry-host",
    ]);
  },
);

verifies("house.tidy", "a file over 512 KiB is found, unless it is the lockfile", () => {
  const big = `${"x".repeat(99)}\n`.repeat(5300);
  expect(findings("docs/a.md", big)).toEqual(["1 file-bytes"]);
  expect(findings("package-lock.json", big)).toEqual([]);
});

test("what git ignores is not looked at", () => {
  const home = mkdtempSync(join(tmpdir(), "doorless-tidy-"));
  homes.push(home);
  mkdirSync(join(home, "dist"));
  writeFileSync(join(home, ".gitignore"), "# built\ndist\n*.log\n");
  writeFileSync(join(home, "dist/utils.ts"), "");
  expect(tidy(home)).toEqual([]);
});
