// Reading code: whatever stands in a file, reading it ends, and throws nothing.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect } from "vitest";
import { nodesBelow } from "../../src/catalog/code/ast.ts";
import { loadParser } from "../../src/catalog/code/parser.ts";
import { readFiles } from "../unit/catalog/code/reading.ts";
import { verifies } from "../verifies.ts";

const FIXTURES = join(import.meta.dirname, "../fixtures/code");
const parse = await loadParser();

const corpus = readdirSync(FIXTURES, { recursive: true, encoding: "utf8" })
  .filter((name) => /\.[cm]?[jt]s$/.test(name))
  .map((name) => ({ name, text: readFileSync(join(FIXTURES, name), "utf8") }));
const texts = Object.fromEntries(corpus.map(({ name, text }) => [name, text]));
const parts = corpus.flatMap(({ name, text }) =>
  [...nodesBelow(parse(name, text).program)].map(({ start, end }) => ({ name, start, end })),
);
const textOf = ({ name, start, end }: (typeof parts)[number]): string =>
  texts[name]?.slice(start, end) ?? "";

/** The files of the same service. */
function serviceOf(name: string): Readonly<Record<string, string>> {
  const [service = ""] = name.split("/");
  return Object.fromEntries(Object.entries(texts).filter(([one]) => one.startsWith(`${service}/`)));
}

verifies("import.code-static", "any part of a service in the place of any other is read", () => {
  const part = fc.constantFrom(...parts);
  let [read, found] = [0, 0];
  fc.assert(
    fc.property(part, part, (place, other) => {
      const whole = texts[place.name] ?? "";
      const text = whole.slice(0, place.start) + textOf(other) + whole.slice(place.end);
      const { places, unread } = readFiles({ ...serviceOf(place.name), [place.name]: text });
      read += unread.some(({ reason }) => reason === "file_unparsable") ? 0 : 1;
      found += places.size;
    }),
    { seed: 20_261_128, numRuns: 80 },
  );
  // Most of it still parses, and most of the routes are still there.
  expect(read).toBeGreaterThan(40);
  expect(found / 80).toBeGreaterThan(8);
});

verifies("import.code-static", "any text at all is read, or refused", () => {
  const text = fc.oneof(
    fc.string({ maxLength: 200 }),
    fc.array(fc.constantFrom(...TOKENS), { maxLength: 60 }).map((all) => all.join(" ")),
  );
  fc.assert(
    fc.property(text, (given) => {
      const { document } = readFiles({ "app.ts": `const app = require("express")();\n${given}` });
      expect(document["openapi"]).toBe("3.1.0");
    }),
    { seed: 20_261_128, numRuns: 150 },
  );
});

const TOKENS = (
  `app . get ( "/x" , ) => { } [ ] ; = + \`a\${b}\` ... async await function class extends super ` +
  "this new import export default from const let for of in if else return try catch switch " +
  "case z.object zValidator ( ) , ) ) ( ( null undefined 1 ?. ?? : router.use " +
  'express.Router() app.get("/y",(q,s)=>q.body.a) ) ( }'
).split(" ");
