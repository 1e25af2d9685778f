// `audit hold`: while a person is under a legal hold nothing of his is erased, and no segment goes.
import { REASON_HELP } from "./audit.ts";
import { askCore, CORE_HELP, CORE_OPTIONS, placeOf } from "./core.ts";
import { EXIT, note, print, printJson, table } from "./output.ts";
import { usageError, wordsOf } from "./verb.ts";
import type { Verb } from "./verb.ts";

interface Held {
  readonly tenant: string | null;
  readonly issuer: string;
  readonly subject: string;
  readonly reason?: string;
  readonly since?: string;
  readonly what?: string;
}

export const auditHold: Verb = {
  name: "audit hold",
  usage: "audit hold [--subject U --reason R [--release]]",
  summary: "keep a person's records from erasure and retention; without --subject, who is held",
  help: [
    "--subject U     a subject, a name, or ISSUER#SUBJECT",
    REASON_HELP,
    "--release       end the hold; exit 1 where there is none",
    ...CORE_HELP,
  ],
  options: {
    ...CORE_OPTIONS,
    subject: { type: "string" },
    reason: { type: "string" },
    release: { type: "boolean" },
  },
  async run(given) {
    wordsOf(auditHold, given);
    const subject = given.text("subject");
    const reason = given.text("reason");
    if (subject !== undefined && reason === undefined) {
      throw usageError(auditHold, "--reason is missing");
    }
    if (subject === undefined && (reason !== undefined || given.flag("release"))) {
      throw usageError(auditHold, "--subject is missing");
    }
    const release = given.flag("release");
    const answer =
      subject === undefined
        ? await askCore(placeOf(given), "/audit/holds", {})
        : await askCore(placeOf(given), "/audit/hold", { subject, reason, release });
    const { holds } = answer as { holds: readonly Held[] };
    if (given.flag("json")) printJson(answer);
    else if (holds.length === 0) note("nobody is under a legal hold");
    else {
      const rows = holds.map((one) => [
        one.tenant ?? "-",
        one.issuer,
        one.subject,
        one.what ?? one.since ?? "",
        one.reason ?? "",
      ]);
      print(table(["TENANT", "ISSUER", "SUBJECT", "HOLD", "REASON"], rows));
    }
    const isNone = subject !== undefined && holds.every(({ what }) => what === "there was none");
    return isNone ? EXIT.no : EXIT.ok;
  },
};
