// `audit hash`: the digest under which a sealed text stands in the log, to search an export for it.
import { askCore, CORE_HELP, CORE_OPTIONS, placeOf } from "./core.ts";
import { EXIT, print, printJson } from "./output.ts";
import { wordsOf } from "./verb.ts";
import type { Verb } from "./verb.ts";

export const auditHash: Verb = {
  name: "audit hash",
  usage: "audit hash VALUE [--tenant T]",
  summary: "the digest of a text as the log has it",
  help: [
    "--tenant T      the tenant whose records are meant; digests differ between tenants",
    ...CORE_HELP,
  ],
  options: { ...CORE_OPTIONS, tenant: { type: "string" } },
  async run(given) {
    const [value = ""] = wordsOf(auditHash, given, "VALUE");
    const tenant = given.text("tenant");
    const question = tenant === undefined ? { value } : { value, tenant };
    const answer = await askCore(placeOf(given), "/audit/hash", question);
    if (given.flag("json")) printJson(answer);
    else print((answer as { digest: string }).digest);
    return EXIT.ok;
  },
};
