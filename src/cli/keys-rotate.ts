// `keys rotate`: a new key signs the log's checkpoints; the old one attests the change. With
// --vault, a new key wraps people's stored links, and the old one is forgotten.
import { askCore, CORE_HELP, CORE_OPTIONS, placeOf } from "./core.ts";
import { EXIT, print, printJson } from "./output.ts";
import { wordsOf } from "./verb.ts";
import type { Given, Verb } from "./verb.ts";

export const keysRotate: Verb = {
  name: "keys rotate",
  usage: "keys rotate [--vault]",
  summary: "replace the key that signs the log's checkpoints, or the one that wraps links",
  help: ["--vault         the key that wraps people's stored links", ...CORE_HELP],
  options: { ...CORE_OPTIONS, vault: { type: "boolean" } },
  async run(given) {
    wordsOf(keysRotate, given);
    if (given.flag("vault")) return rotateVault(given);
    const answer = await askCore(placeOf(given), "/keys/rotate", {});
    if (given.flag("json")) printJson(answer);
    else print((answer as { verifier: string }).verifier);
    return EXIT.ok;
  },
};

async function rotateVault(given: Given): Promise<number> {
  const answer = await askCore(placeOf(given), "/keys/rotate-vault", {});
  const { kid, rows, left } = answer as { kid: string; rows: number; left: number };
  if (given.flag("json")) printJson(answer);
  else print(`${kid}: ${rows} links wrapped anew, ${left} left under older keys`);
  return left === 0 ? EXIT.ok : EXIT.no;
}
