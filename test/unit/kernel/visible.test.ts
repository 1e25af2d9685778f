// Text of others, for a human who decides by it.
import * as fc from "fast-check";
import { expect } from "vitest";
import { piecesOf, visibleText } from "../../../src/kernel/visible.ts";
import { verifies } from "../../verifies.ts";

verifies("approval.shown", "what hides or turns text around is shown by its number", () => {
  const cases: Readonly<Record<string, string>> = {
    "pay\u202e08\u202c": "pay<U+202E>08<U+202C>",
    "a\u200bb": "a<U+200B>b",
    "\u2066x\u2069": "<U+2066>x<U+2069>",
    "x\u0000\u001b[2J\ty": "x<U+0000><U+001B>[2J<U+0009>y",
    "tag\u{e0041}": "tag<U+E0041>",
    "\u3164\uffa0\u115f\u2800": "<U+3164><U+FFA0><U+115F><U+2800>",
    "a\u00a0b\u3000c": "a<U+00A0>b<U+3000>c",
    "\u2028\u2029\ufeff": "<U+2028><U+2029><U+FEFF>",
    "\ud800": "<U+D800>",
    "e\u0301\u0301\u0301\u0301\u0301": "e\u0301\u0301\u0301\u0301<U+0301>",
    "\u{1f469}\u200d\u{1f680}\ufe0f": "\u{1f469}<U+200D>\u{1f680}<U+FE0F>",
    "\ue000\u0378": "<U+E000><U+0378>",
  };
  for (const [text, shown] of Object.entries(cases)) expect(visibleText(text)).toBe(shown);
});

verifies("approval.shown", "what people write stands as it is, lines and all", () => {
  for (const text of ["Charged twice.\nSorry!", "Größe 80 €", "héllo", "שלום 80", "日本語", "👍"]) {
    expect(visibleText(text)).toBe(text);
  }
});

verifies("approval.shown", "nothing is lost: what is shown is the text, piece by piece", () => {
  const back = (text: string): string =>
    piecesOf(text)
      .map(({ text: part, hidden }) => {
        return hidden ? String.fromCodePoint(Number.parseInt(part.slice(2), 16)) : part;
      })
      .join("");
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => back(text) === text),
    { seed: 20_261_128, numRuns: 500 },
  );
});
