// `version`: of doorless, and of the Node that runs it.
import { VERSION } from "../kernel/version.ts";
import { EXIT, print, printJson } from "./output.ts";
import { wordsOf } from "./verb.ts";
import type { Verb } from "./verb.ts";

export const version: Verb = {
  name: "version",
  usage: "version",
  summary: "the version of doorless",
  async run(given) {
    wordsOf(version, given);
    if (given.flag("json")) printJson({ version: VERSION, node: process.versions.node });
    else print(VERSION);
    return EXIT.ok;
  },
};
