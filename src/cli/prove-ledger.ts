// What `prove` checks of the ledger when it cannot be written, and when the law says to keep it.
import { readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { must } from "./prove-stage.ts";
import type { Answer, Stage } from "./prove-stage.ts";

const ASKED_AGAIN_MS = 1100;

/** Takes the open segment away from under the server, and puts it back. */
export async function noSinkNoCall(stage: Stage): Promise<string> {
  const token = await stage.token("mia", "sales");
  const call = (): Promise<Answer> => stage.call("sales", token, "crm_get_deal", { id: 42 });
  must((await call()).error_code === undefined, "the call failed before");
  const folder = join(stage.demo.ready.data, "ledger");
  const names = readdirSync(folder).filter((name) => name.endsWith(".jsonl"));
  const path = join(folder, names.toSorted().at(-1) ?? "");
  const rows = (await stage.saasRows()).length;
  renameSync(path, `${path}.away`);
  let answer: Answer;
  try {
    answer = await call();
  } finally {
    renameSync(`${path}.away`, path);
  }
  must(answer.error_code === "audit_unavailable", `without its log it said: ${answer.text}`);
  must(answer.text.includes("segment_missing"), `the cause is not named: ${answer.text}`);
  must((await stage.saasRows()).length === rows, "the SaaS got a request that is in no log");
  await new Promise((resolve) => setTimeout(resolve, ASKED_AGAIN_MS));
  const after = await call();
  must(after.error_code === undefined, `with its log back it said: ${after.text}`);
  return "a segment taken away: audit_unavailable, segment_missing; put back: it serves";
}

export async function legalHold(stage: Stage): Promise<string> {
  const token = await stage.token("zoe", "support");
  const called = await stage.call("support", token, "tickets_search", {});
  must(called.error_code === undefined, `the call failed: ${called.text}`);
  const who = { subject: "zoe", reason: "prove: a case before the court" };
  await stage.ask("/audit/hold", who);
  const refused = await stage.ask("/audit/erase", who).then(
    () => "",
    (error: unknown) => String(error),
  );
  await stage.ask("/audit/hold", { ...who, release: true });
  must(refused.includes("legal hold"), "a person under a legal hold was erased");
  return "an erasure of Zoe during a legal hold is refused; placing and ending it are on record";
}
