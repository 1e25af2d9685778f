// `keys rotate`: a new key signs the log's checkpoints; the old one attests the change.
import { askCore, CORE_HELP, CORE_OPTIONS, placeOf } from "./core.ts";
import { EXIT, print, printJson } from "./output.ts";
import { wordsOf } from "./verb.ts";
import type { Verb } from "./verb.ts";

export const keysRotate: Verb = {
  name: "keys rotate",
  usage: "keys rotate",
  summary: "replace the key that signs the log's checkpoints",
  help: CORE_HELP,
  options: CORE_OPTIONS,
  async run(given) {
    wordsOf(keysRotate, given);
    const answer = await askCore(placeOf(given), "/keys/rotate", {});
    if (given.flag("json")) printJson(answer);
    else print((answer as { verifier: string }).verifier);
    return EXIT.ok;
  },
};
