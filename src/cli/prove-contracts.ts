// `prove`, contracts: an API that changes under an agent's hands stops what it breaks, and is back.
import { setTimeout as sleep } from "node:timers/promises";
import { must } from "./prove-stage.ts";
import type { Stage } from "./prove-stage.ts";

const TOOL = "crm_get_customer";
// The demo's documents are looked at every two seconds.
const PATIENCE_MS = 20_000;

export async function driftStops(stage: Stage): Promise<string> {
  const token = await stage.token("dana", "support");
  const began_ms = performance.now();
  await stage.demo.world.set("contract:2");
  try {
    await listed(stage, token, false);
    const after_s = ((performance.now() - began_ms) / 1000).toFixed(1);
    const rows = (await stage.saasRows()).length;
    const answer = await stage.call("support", token, TOOL, { id: 1 });
    must(answer.error_code === "contract_drift", `answered ${answer.text}`);
    must(!answer.text.includes("display_name"), "the new shape leaked");
    must((await stage.saasRows()).length === rows, "a stopped tool was called");
    const other = await stage.call("support", token, "tickets_search", {});
    must(other.error_code === undefined, `an unaffected tool stopped: ${other.text}`);
    return `the API changed: off the list after ${after_s} s, contract_drift; others go on`;
  } finally {
    await stage.demo.world.set("contract:1");
    await listed(stage, token, true);
  }
}

async function listed(stage: Stage, token: string, there: boolean): Promise<void> {
  for (const end_ms = performance.now() + PATIENCE_MS; ; await sleep(100)) {
    const { text } = await stage.list("support", token);
    if (text.includes(`"${TOOL}"`) === there) return;
    must(performance.now() < end_ms, `${TOOL} is ${there ? "not back" : "still listed"}`);
  }
}
