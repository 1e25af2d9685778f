// What `prove` checks of writes that are sent again: one change, one answer, nobody else's.
import { randomUUID } from "node:crypto";
import { must } from "./prove-stage.ts";
import type { Answer, Stage } from "./prove-stage.ts";

const AT_ONCE = 20;
const REPLY = { id: 201, body: "We are looking into it." };

function reply(stage: Stage, token: string, key: string, args: object = REPLY): Promise<Answer> {
  return stage.call("support", token, "tickets_reply", args, { "doorless/idempotency_key": key });
}

const firstOf = ({ result }: Answer): unknown => {
  const meta = result?.["_meta"] as Record<string, unknown> | undefined;
  return meta?.["doorless/replayed"] === true ? meta["doorless/first_call_id"] : undefined;
};

export async function sentAgain(stage: Stage): Promise<string> {
  const token = await stage.token("dana", "support");
  const replies = async () =>
    (await stage.saasRows()).filter(({ path }) => path.endsWith("/replies"));
  const before = (await replies()).length;
  const key = randomUUID();
  const all = await Promise.all(Array.from({ length: AT_ONCE }, () => reply(stage, token, key)));
  all.push(await reply(stage, token, key));
  const [first, ...more] = all.filter((answer) => firstOf(answer) === undefined);
  must(first?.error_code === undefined, `the first one answered ${first?.text}`);
  must(more.length === 0, `${more.length + 1} of ${all.length} calls ran`);
  const content = (answer?: Answer): string => JSON.stringify(answer?.result?.["content"]);
  const other = all.find((answer) => content(answer) !== content(first));
  must(other === undefined, `one of them was answered ${other?.text}`);
  const rows = (await replies()).slice(before);
  must(rows.length === 1, `the API saw ${rows.length} replies`);
  const changed = await reply(stage, token, key, { ...REPLY, body: "Something else." });
  must(changed.error_code === "idempotency_conflict", `other words: ${changed.text}`);
  const [record] = await stage.ledger({ call_id: all.at(-1)?.call_id });
  must(record?.replay_of === first?.call_id, "its record does not name the first call");
  await stage.ask("/locks/add", { what: "tool:tickets_reply", reason: "prove" });
  const locked = await reply(stage, token, key);
  await stage.ask("/locks/rm", { what: "tool:tickets_reply" });
  must(locked.error_code === "locked", `while the tool is locked: ${locked.text}`);
  must((await replies()).length === before + 1, "another reply reached the API");
  return `${all.length} calls with one key, ${AT_ONCE} at once: one change, one answer for all`;
}
