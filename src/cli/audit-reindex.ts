// `audit reindex`: makes the index anew from the log, which is the truth.
import { askCore, CORE_HELP, CORE_OPTIONS, placeOf } from "./core.ts";
import { EXIT, print, printJson } from "./output.ts";
import { wordsOf } from "./verb.ts";
import type { Verb } from "./verb.ts";

export const auditReindex: Verb = {
  name: "audit reindex",
  usage: "audit reindex",
  summary: "make the index anew from the log",
  help: CORE_HELP,
  options: CORE_OPTIONS,
  async run(given) {
    wordsOf(auditReindex, given);
    const answer = await askCore(placeOf(given), "/audit/reindex", {});
    if (given.flag("json")) printJson(answer);
    else print(`${(answer as { records: number }).records} lines of the log are in the index`);
    return EXIT.ok;
  },
};
