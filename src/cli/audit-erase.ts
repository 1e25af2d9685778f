// `audit erase`: destroys the key under which a person's text is sealed. His records stay, by
// subject, and the chain stays whole; what they said is gone.
import { askCore, CORE_HELP, CORE_OPTIONS, placeOf } from "./core.ts";
import { EXIT, print, printJson, table } from "./output.ts";
import { usageError, wordsOf } from "./verb.ts";
import type { Verb } from "./verb.ts";

interface Erased {
  readonly tenant: string | null;
  readonly issuer: string;
  readonly subject: string;
  readonly key: string;
}

export const auditErase: Verb = {
  name: "audit erase",
  usage: "audit erase --subject U --reason R",
  summary: "destroy the key of a person's sealed text; cannot be undone",
  help: [
    "--subject U     a subject, a name, or ISSUER#SUBJECT",
    "--reason R      why",
    ...CORE_HELP,
  ],
  options: { ...CORE_OPTIONS, subject: { type: "string" }, reason: { type: "string" } },
  async run(given) {
    wordsOf(auditErase, given);
    const subject = given.text("subject");
    if (subject === undefined) throw usageError(auditErase, "--subject is missing");
    const reason = given.text("reason") ?? "not given";
    const answer = await askCore(placeOf(given), "/audit/erase", { subject, reason });
    const { erased } = answer as { erased: Erased[] };
    if (given.flag("json")) printJson(answer);
    else {
      const rows = erased.map((one) => [one.tenant ?? "-", one.issuer, one.subject, one.key]);
      print(table(["TENANT", "ISSUER", "SUBJECT", "KEY"], rows));
    }
    return EXIT.ok;
  },
};
