// What `prove` checks of the limits: a wall for one user, room for the others, and an end to loops.
import { must } from "./prove-stage.ts";
import type { Answer, Stage } from "./prove-stage.ts";

const CALLS = 200;

/** As many calls at once as no person makes, each with other arguments. */
export async function runaway(stage: Stage): Promise<string> {
  const token = await stage.token("dana", "support");
  const searches = async (): Promise<number> =>
    (await stage.saasRows()).filter(({ path }) => path.startsWith("/tickets/")).length;
  const before = await searches();
  const search = (as: string, text: string): Promise<Answer> =>
    stage.call("support", as, "tickets_search", { q: text });
  const calls = await Promise.all(Array.from({ length: CALLS }, (_, i) => search(token, `${i}`)));
  const stopped = calls.filter(({ error_code }) => error_code !== undefined);
  const walls = new Set(["rate_limited", "capacity"]);
  const other = stopped.find(({ error_code = "" }) => !walls.has(error_code));
  must(other === undefined, `one of the calls answered ${other?.text}`);
  must(stopped.length > 0, `${CALLS} calls at once all ran`);
  const sent = (await searches()) - before;
  must(sent === CALLS - stopped.length, `${sent} requests reached the SaaS`);
  const zoe = await search(await stage.token("zoe", "support"), "0");
  must(zoe.error_code === undefined, `Zoe was starved: ${zoe.text}`);
  return `${stopped.length} of ${CALLS} calls at once refused with a time to wait; Zoe's call ran`;
}

/** The same call over and over, then another one; the same with one that is refused. */
export async function repeats(stage: Stage): Promise<string> {
  const { same_calls_max, same_errors_max } = stage.config.limits.loops;
  const token = await stage.token("mia", "research");
  const call = (id: number): Promise<Answer> =>
    stage.call("research", token, "crm_get_customer", { id });
  for (let i = 0; i < same_calls_max; i++) {
    const answer = await call(1);
    must(answer.error_code === undefined, `call ${i + 1} of the loop answered ${answer.text}`);
  }
  const refused = await call(1);
  must(refused.error_code === "loop_detected", `the next answered ${refused.text}`);
  must(refused.text.includes("crm_get_customer"), "it does not say what repeated");
  const [record] = await stage.ledger({ call_id: refused.call_id ?? "" });
  must(record?.outcome === "rate_limited", "the refusal is not on record");
  must((await call(2)).error_code === undefined, "another call was refused as well");
  const wrong = async (): Promise<string | undefined> => (await call(-1)).error_code;
  for (let i = 0; i < same_errors_max; i++) {
    const code = await wrong();
    must(code === "invalid_arguments", `a call that does not fit answered ${code}`);
  }
  const code = await wrong();
  must(code === "loop_detected", `the next that does not fit answered ${code}`);
  must((await call(3)).error_code === undefined, "one that fits was refused as well");
  return `call ${same_calls_max + 1} of the same was loop_detected, refused ones, too; others ran`;
}
