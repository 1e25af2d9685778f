// Source that was made to harm, or only looks as if: it is read, within bounds, and never run.
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { nodesBelow } from "../../../../src/catalog/code/ast.ts";
import { testFolder } from "../../../setup/minimal.ts";
import { verifies } from "../../../verifies.ts";
import { readFiles, readFolder, routesOf, unreadOf } from "./reading.ts";

const APP = `import express from "express"; const app = express();\n`;

verifies("import.code-static", "what the code would do does not happen", () => {
  const folder = testFolder();
  const touched = JSON.stringify(join(folder, "touched"));
  const write = `require("node:fs").writeFileSync(${touched}, "");`;
  const read = readFiles({
    "app.ts": `${APP}${write}\nprocess.exit(7);\nglobalThis.x = eval("1");\nthrow new Error();`,
    "after.ts": `${APP}(() => { ${write} })();\napp.get("/x", () => { ${write} });`,
    "forever.ts": `${APP}while (true) { app.get("/loop", (q, s) => s.end()); }
      function f() { f(); }
      f();`,
  });
  expect(existsSync(join(folder, "touched"))).toBe(false);
  expect(routesOf(read)).toEqual(["GET /loop forever.ts:2", "GET /x after.ts:3"]);
});

verifies("import.code-static", "links and what lies outside are not read", () => {
  const outside = testFolder();
  writeFileSync(join(outside, "secret.ts"), `${APP}app.get("/secret", (q, s) => s.end());`);
  const root = testFolder();
  mkdirSync(join(root, "node_modules/x"), { recursive: true });
  symlinkSync(join(outside, "secret.ts"), join(root, "linked.ts"));
  symlinkSync(outside, join(root, "folder"));
  writeFileSync(join(root, "node_modules/x/index.ts"), `${APP}app.get("/x", () => 1);`);
  writeFileSync(join(root, "app.test.ts"), `${APP}app.get("/test", () => 1);`);
  const up = join("..", outside.split("/").at(-1) ?? "", "secret");
  const from = ["./linked", "./folder/secret", up].map((one) => JSON.stringify(one));
  const imports = from.map((one, i) => `import x${i} from ${one};`).join(" ");
  writeFileSync(join(root, "app.ts"), `${imports}\n${APP}app.use("/a", x0, x1, x2);`);
  const read = readFolder(root);
  expect(routesOf(read)).toEqual([]);
  expect(unreadOf(read)).toEqual([
    "app.ts:1 module_unresolved",
    "app.ts:1 module_unresolved",
    "app.ts:1 module_unresolved",
    "app.ts:3 mount_unknown",
  ]);
  expect(read.left_out).toEqual([
    "app.test.ts",
    "folder (a link)",
    "linked.ts (a link)",
    "node_modules/",
  ]);
});

verifies("import.code-static", "what would end the parser is refused by name", () => {
  const deep: Readonly<Record<string, (n: number) => string>> = {
    brackets: (n) => "(".repeat(n) + "1" + ")".repeat(n),
    functions: (n) => "(function(){".repeat(n) + "})".repeat(n),
    negations: (n) => `${"!".repeat(n)}x`,
    arrows: (n) => `${"a=>".repeat(n)}a`,
    conditions: (n) => `${"if(x)".repeat(n)};`,
    choices: (n) => `${"a?b:".repeat(n)}c`,
    classes: (n) => `${"class A{x=".repeat(n)}1${"}".repeat(n)}`,
    texts: (n) => `${"`${".repeat(n)}1${"}`".repeat(n)}`,
    types: (n) => `type A = ${"Array<".repeat(n)}x${">".repeat(n)}`,
  };
  for (const [name, make] of Object.entries(deep)) {
    const read = readFiles({ "app.ts": `// express\n${make(40_000)}` });
    expect(unreadOf(read), name).toEqual(["app.ts:2 file_too_deep"]);
    expect(unreadOf(readFiles({ "app.ts": `// express\n${make(80)}` })), name).toEqual([]);
  }
});

verifies("import.code-static", "a file too large, or no code at all, is said", () => {
  const read = readFiles({
    "large.ts": `${APP}//${"x".repeat(1_100_000)}`,
    "wrong.ts": `${APP}\nconst = ;`,
    "long.js": `${APP}const s = ${Array.from({ length: 5000 }, (_, i) => `"${i}"`).join(" +\n")};
      app.get("/still-here", (q, s) => s.end());`,
  });
  expect(unreadOf(read)).toEqual(["large.ts:1 file_too_large", "wrong.ts:3 file_unparsable"]);
  expect(routesOf(read)).toEqual(["GET /still-here long.js:5002"]);
});

verifies("import.code-routes", "what is called on an app and not known is said", () => {
  const read = readFiles({
    "app.ts": `${APP}
      app.frobnicate("/x", () => 1);
      const { get } = app;
      decorate(app);
      require("some-routes")(app);
      app.use("/y", unknownThing);
      app.get(...routeOf("x"));
      module.exports = app;`,
    "plugin.ts": `export default async (fastify) => { fastify.get("/lost", async () => 1); };`,
    "router.ts": `import { Router } from "express"; export const r = Router();
      r.get("/alone", () => 1);`,
    "koa.ts": `import Koa from "koa"; import Router from "@koa/router";`,
    "client.ts": `import axios from "axios"; axios.get("/users", { params: {} });
      const m = new Map(); m.get("/x");`,
  });
  expect(routesOf(read)).toEqual([]);
  expect(unreadOf(read)).toEqual([
    "app.ts:3 call_unknown",
    "app.ts:4 call_unknown",
    "app.ts:5 app_given_away",
    "app.ts:6 app_given_away",
    "app.ts:7 mount_elsewhere",
    "app.ts:8 arguments_spread",
    "koa.ts:1 framework_unread",
    "koa.ts:1 framework_unread",
    "plugin.ts:1 router_unmounted",
    "router.ts:2 router_unmounted",
  ]);
});

verifies("import.code-static", "modules that give each other what none of them has end", () => {
  const circles: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    stars: {
      "a.ts": `export * from "./b.ts"; import { x } from "./b.ts";`,
      "b.ts": `export * from "./a.ts";`,
    },
    names: {
      "a.ts": `import { x } from "./b.ts"; export { x };`,
      "b.ts": `import { x } from "./a.ts"; export { x };`,
    },
    itself: { "a.ts": `export * as default from "./a.ts"; import x from "./a.ts"; x(app);` },
  };
  for (const [name, files] of Object.entries(circles)) {
    const route = `app.get(x, () => 1); app.get("/y", () => 1);`;
    const read = readFiles({ ...files, "a.ts": `${APP}${files["a.ts"] ?? ""}\n${route}` });
    expect(routesOf(read), name).toEqual(["GET /y a.ts:3"]);
    expect(unreadOf(read), name).toContain("a.ts:3 path_computed");
  }
});

verifies("import.code-static", "what two modules give each other is found all the same", () => {
  const read = readFiles({
    "a.ts": `${APP}export * from "./b.ts"; export const y = "/y";
      import { x, y as z } from "./b.ts"; app.get(x, () => 1); app.get(z, () => 1);`,
    "b.ts": `export * from "./a.ts"; export const x = "/x";`,
  });
  expect(routesOf(read)).toEqual(["GET /x a.ts:3", "GET /y a.ts:3"]);
});

verifies(
  "import.code-static",
  "files that import each other in a long row are read, and said",
  () => {
    const name = (i: number): string => `f${String(i).padStart(4, "0")}.ts`;
    const files = Array.from({ length: 700 }, (_, i) => [
      name(i),
      `import { x } from "./${name(i + 1)}"; // express\nexport { x };`,
    ]);
    const last = `${APP}app.get("/last", () => 1); export const x = 1;`;
    const read = readFiles({ ...Object.fromEntries(files), [name(700)]: last });
    expect(routesOf(read)).toEqual([`GET /last ${name(700)}:2`]);
    expect(unreadOf(read)).toEqual([`${name(500)}:1 too_many_steps`]);
  },
);

verifies(
  "import.code-static",
  "more nodes than a call has arguments, or blanks, are no matter",
  () => {
    const one = { type: "Literal", start: 0, end: 1 };
    const many = { ...one, elements: Array.from({ length: 300_000 }, () => one) };
    expect([...nodesBelow(many)]).toHaveLength(300_001);
    const blanks = " ".repeat(500_000);
    expect(unreadOf(readFiles({ "app.ts": `${APP}import${blanks}x` }))).toHaveLength(1);
  },
);

verifies("import.code-static", "values that grow without an end stop growing", () => {
  const grown: Readonly<Record<string, readonly [text: string, routes: readonly string[]]>> = {
    shape: [
      `let s = z.string(); for (const i of many) s = z.object({ a: s, b: s });
       app.post("/x", (q, r) => r.json(s.parse(q.body)));`,
      ["POST /x"],
    ],
    spread: [
      `let a = [1]; for (const i of many) a = [...a, ...a]; app.get("/" + a.length, h);`,
      [],
    ],
    push: [`let a = [1]; for (const i of many) a.push(...a); app.get("/y", h);`, ["GET /y"]],
    text: [`let a = "a"; for (const i of many) a = a + a; app.get("/" + a, h);`, []],
    added: [`let a = "a"; for (const i of many) a += a; app.get("/" + a, h);`, []],
    concat: [`let a = "a"; for (const i of many) a = a.concat(a); app.get("/" + a, h);`, []],
    path: [`let a = "a"; for (const i of many) a = join(a, a); app.get("/" + a, h);`, []],
    parts: [`app.get(join(${`"",`.repeat(130_000)}), h);`, []],
    classes: [
      `let C = class { a = 1 };
       for (const i of many) for (const j of many) C = class extends C {};
       new C(); app.get("/y", h);`,
      ["GET /y"],
    ],
    mounts: [
      `let r = express.Router(); r.get("/x", h);
       for (const i of many) { const n = express.Router(); n.use("/a", r).use("/b", r); r = n; }
       app.use(r); app.get("/y", h);`,
      ["GET /y"],
    ],
    circles: [
      `const l = []; l.push(l); app.get(l, h); app.use("/a", app); app.get("/e", h);
       const o = { type: "object" }; o.properties = { o }; z.object(o).parse(l);`,
      ["GET /e"],
    ],
    names: [
      `app.post("/__proto__", (q, s) => { s.json(q.body["__proto__"], q.query.__proto__); });
       const o = {}; o["__proto__"] = h; z.object({ ["__proto__"]: z.string() }).parse(o);`,
      ["POST /__proto__"],
    ],
  };
  const many = JSON.stringify(Array.from({ length: 200 }, (_, i) => i));
  const begin = `import { z } from "zod"; import { join } from "node:path";
    const many = ${many}; const h = (q, s) => s.end();`;
  for (const [name, [text, routes]] of Object.entries(grown)) {
    const read = readFiles({ "app.ts": `${begin}\n${APP}${text}` });
    expect([...read.places.keys()], name).toEqual(routes);
    expect(JSON.stringify(read.document).length, name).toBeLessThan(1_000_000);
    if (routes.length === 0) expect(read.unread, name).not.toEqual([]);
  }
});
