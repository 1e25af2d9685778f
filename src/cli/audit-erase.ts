// `audit erase`: destroys the key under which a person's text is sealed. His records stay, by
// subject, and the chain stays whole; what they said is gone.
import { REASON_HELP } from "./audit.ts";
import { askCore, CORE_HELP, CORE_OPTIONS, placeOf } from "./core.ts";
import { EXIT, print, printJson, table } from "./output.ts";
import { usageError, wordsOf } from "./verb.ts";
import type { Verb } from "./verb.ts";

interface Erased {
  readonly tenant: string | null;
  readonly issuer: string;
  readonly subject: string;
  readonly key: string;
  /** Of a person whose key was destroyed before, and who has no new one. */
  readonly erased_at?: string;
}

const NO_REASON = "not given";

export const auditErase: Verb = {
  name: "audit erase",
  usage: "audit erase --subject U [--reason R]",
  summary: "destroy the key of a person's sealed text; cannot be undone",
  help: [
    "--subject U     a subject, a name, or ISSUER#SUBJECT",
    `${REASON_HELP} (default: ${NO_REASON})`,
    ...CORE_HELP,
  ],
  options: { ...CORE_OPTIONS, subject: { type: "string" }, reason: { type: "string" } },
  async run(given) {
    wordsOf(auditErase, given);
    const subject = given.text("subject");
    if (subject === undefined) throw usageError(auditErase, "--subject is missing");
    const reason = given.text("reason") ?? NO_REASON;
    const answer = await askCore(placeOf(given), "/audit/erase", { subject, reason });
    const { erased } = answer as { erased: Erased[] };
    if (given.flag("json")) printJson(answer);
    else {
      const rows = erased.map((one) => [one.tenant ?? "-", one.issuer, one.subject, done(one)]);
      print(table(["TENANT", "ISSUER", "SUBJECT", "KEY"], rows));
    }
    return EXIT.ok;
  },
};

function done({ key, erased_at }: Erased): string {
  if (key === "erased") return "erased";
  return erased_at === undefined
    ? "there is none: nothing was sealed"
    : `already erased, on ${erased_at}`;
}
