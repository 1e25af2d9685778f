// `audit show`: one call, everything that is known of it; behind its seals only with a reason.
import { query, REASON_HELP } from "./audit.ts";
import { askCore, CORE_HELP, CORE_OPTIONS, placeOf } from "./core.ts";
import { EXIT, print, Stop } from "./output.ts";
import { usageError, wordsOf } from "./verb.ts";
import type { Given, Verb } from "./verb.ts";

export const auditShow: Verb = {
  name: "audit show",
  usage: "audit show ID [--reveal --reason R]",
  summary: "one call, everything that is known of it",
  help: [
    "--reveal        open what is sealed; only while doorless runs, and recorded",
    REASON_HELP,
    ...CORE_HELP,
  ],
  options: { ...CORE_OPTIONS, reveal: { type: "boolean" }, reason: { type: "string" } },
  async run(given) {
    const [call_id = ""] = wordsOf(auditShow, given, "ID");
    if (!given.flag("reveal") && given.text("reason") !== undefined) {
      throw usageError(auditShow, "--reason is for --reveal");
    }
    const record = given.flag("reveal") ? await reveal(given, call_id) : await read(given, call_id);
    if (record === null || record === undefined) {
      throw new Stop(EXIT.no, `there is no call ${call_id}`);
    }
    print(given.flag("json") ? JSON.stringify(record) : JSON.stringify(record, null, 2));
    return EXIT.ok;
  },
};

async function read(given: Given, call_id: string): Promise<unknown> {
  const page = await query(placeOf(given), "audit show", { call_id, limit: 1 });
  return page.records[0];
}

async function reveal(given: Given, call_id: string): Promise<unknown> {
  const reason = given.text("reason");
  if (reason === undefined) throw usageError(auditShow, "--reveal wants a --reason");
  const answer = await askCore(placeOf(given), "/audit/reveal", { call_id, reason });
  return (answer as { record: unknown }).record;
}
