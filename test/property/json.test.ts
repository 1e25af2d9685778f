// Strict JSON against JSON.parse, on random values and on random damage.
import * as fc from "fast-check";
import { expect } from "vitest";
import { JsonError, parseJson, parseJsonDocument, valueAt } from "../../src/kernel/json.ts";
import { verifies } from "../verifies.ts";

const LIMITS = { depth_max: 64, keys_max: 100_000 };
const SEED = { seed: 20_261_123, numRuns: 1500 };
// JSON.stringify writes "__proto__" as any key; ours refuses it, which the unit tests pin.
const value = fc.jsonValue({ maxDepth: 6 }).filter((v) => !JSON.stringify(v).includes("__proto__"));

verifies(
  "bad-input.bodies",
  "whatever JSON.stringify writes is read as JSON.parse reads it",
  () => {
    fc.assert(
      fc.property(value, fc.constantFrom(undefined, 1, "\t"), (given, indent) => {
        const text = JSON.stringify(given, null, indent);
        expect(parseJson(text, LIMITS)).toEqual(JSON.parse(text));
      }),
      SEED,
    );
  },
);

verifies("bad-input.bodies", "what JSON.parse refuses is refused, with a JsonError", () => {
  const damage = fc.record({
    at: fc.nat(),
    cut: fc.nat({ max: 3 }),
    put: fc.string({ maxLength: 3 }),
  });
  let refused = 0;
  fc.assert(
    fc.property(value, damage, (given, { at, cut, put }) => {
      const text = JSON.stringify(given);
      const place = at % (text.length + 1);
      const broken = text.slice(0, place) + put + text.slice(place + cut);
      if (accepts(() => JSON.parse(broken))) return;
      refused++;
      expect(() => parseJson(broken, LIMITS)).toThrow(JsonError);
    }),
    SEED,
  );
  expect(refused).toBeGreaterThan(300);
});

function accepts(parse: () => unknown): boolean {
  try {
    parse();
    return true;
  } catch {
    return false;
  }
}

verifies("config.mistake-located", "each value stands where its pointer says", () => {
  fc.assert(
    fc.property(value, (given) => {
      const text = JSON.stringify(given, null, 2);
      const lines = text.split("\n");
      const document = parseJsonDocument(text, LIMITS);
      for (const pointer of pointersOf(given)) {
        const { line, column } = document.at(pointer);
        const rest = lines[line - 1]?.slice(column - 1) ?? "";
        const here = JSON.stringify(valueAt(given, pointer), null, 2).split("\n")[0] ?? "";
        expect(rest.startsWith(here), `${pointer} in ${text}`).toBe(true);
      }
    }),
    { ...SEED, numRuns: 400 },
  );
});

function pointersOf(given: unknown, pointer = ""): string[] {
  if (given === null || typeof given !== "object") return [pointer];
  const inner = Object.entries(given).flatMap(([key, one]) =>
    pointersOf(one, `${pointer}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`),
  );
  return [pointer, ...inner];
}
