// `tools verify`: whether what is in the folder is what a human has approved. For CI.
import { EXIT, note, paint, print, printJson, table } from "./output.ts";
import {
  FOLDER_HELP,
  FOLDER_OPTIONS,
  printFault,
  readToolsFolder,
  unreadIn,
} from "./tools-folder.ts";
import { wordsOf } from "./verb.ts";
import type { Verb } from "./verb.ts";

export const toolsVerify: Verb = {
  name: "tools verify",
  usage: "tools verify [--tools DIR] [--config FILE]",
  summary: "whether each tool is as it was approved; exit 1 where one is not",
  help: FOLDER_HELP,
  options: FOLDER_OPTIONS,
  async run(given) {
    wordsOf(toolsVerify, given);
    const folder = await readToolsFolder(given);
    const { catalog, lock, mismatches, faults } = folder;
    const unread = unreadIn(folder);
    const waiting = new Set(mismatches.map(({ tool }) => tool));
    const names = [...catalog.tools.values()].filter(({ kind }) => kind !== "generated");
    const approved = names.flatMap(({ name }) => (waiting.has(name) ? [] : [name]));
    const ok = mismatches.length === 0 && !faults.some(({ grave }) => grave);
    if (given.flag("json")) {
      const { drafts } = catalog;
      printJson({ ok, lock: lock.file, approved, mismatches, drafts, unread, faults });
      return ok ? EXIT.ok : EXIT.no;
    }
    if (!lock.exists) note(`there is no ${lock.file}: nothing is approved`);
    if (mismatches.length > 0) {
      const rows = mismatches.map(({ tool, kind, why }) => [tool, paint("red", kind), why]);
      print(table(["TOOL", "STATE", "WHY"], rows));
    }
    faults.forEach(printFault);
    for (const name of catalog.drafts) note(`${name} is a draft: it is no tool yet`);
    for (const name of unread) note(`${name} was not read: ${catalog.absent.get(name)}`);
    print(`${approved.length} approved, ${mismatches.length} not as approved`);
    if (mismatches.length > 0) note("`doorless tools approve` shows what is different, and asks");
    return ok ? EXIT.ok : EXIT.no;
  },
};
