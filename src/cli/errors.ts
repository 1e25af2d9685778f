// `errors`: the error table, or one row of it.
import { errorTable } from "../kernel/errors.ts";
import { EXIT, print, printJson, Stop, table } from "./output.ts";
import { JSON_LINES, wordsOf } from "./verb.ts";
import type { Verb } from "./verb.ts";

export const errors: Verb = {
  name: "errors",
  usage: "errors [CODE]",
  summary: "every error there is, or one of them",
  json: JSON_LINES,
  async run(given) {
    const [code] = wordsOf(errors, given, "CODE?");
    const rows = Object.entries(errorTable).filter(([name]) => code === undefined || name === code);
    if (rows.length === 0) throw new Stop(EXIT.usage, `there is no error ${JSON.stringify(code)}`);
    if (given.flag("json")) for (const [name, row] of rows) printJson({ code: name, ...row });
    else {
      const head = ["CODE", "RETRY", "WHO CAN FIX", "EFFECT", "OUTCOME", "MEANING"];
      const cells = rows.map(([name, row]) => [
        name,
        row.retry,
        row.who_can_fix,
        row.effects.join("|"),
        row.outcome,
        row.message,
      ]);
      print(table(head, cells));
    }
    return EXIT.ok;
  },
};
