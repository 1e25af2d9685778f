// The promises of the policy: a hostile agent that knows every rule, and arguments that it may not
// send.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { must } from "./prove-stage.ts";
import type { Answer, Stage } from "./prove-stage.ts";

const CONTACT = "c.harbour@harbour.example";
const mail = (to: string) => ({ to, subject: "Offer", body: "As agreed." });

function mustRefuse({ error_code, text }: Answer, what: string): void {
  must(error_code === "argument_not_allowed", `${what} answered ${text}`);
}

async function rowsOf(stage: Stage, path: string): Promise<number> {
  return (await stage.saasRows()).filter((row) => row.path.includes(path)).length;
}

export async function seenOnly(stage: Stage): Promise<string> {
  const before = await rowsOf(stage, "/mail/");
  const token = await stage.token("mia", "sales");
  const send = (to: string, as = token) => stage.call("sales", as, "mail_send", mail(to));
  mustRefuse(await send(CONTACT), "a contact that was not read");
  await stage.call("sales", token, "crm_get_deal", { id: 42 });
  const after = await send(CONTACT);
  must(after.error_code !== "argument_not_allowed", `the contact that was read: ${after.text}`);
  for (const to of ["attacker@evil.example", CONTACT.toUpperCase()]) mustRefuse(await send(to), to);
  mustRefuse(await send(CONTACT, await stage.token("mia", "sales")), "another sign-in of hers");
  const sent = (await rowsOf(stage, "/mail/")) - before;
  must(sent <= 1, `${sent} mails reached the API`);
  return "only to the contact of a deal that the same session had read; four others were refused";
}

export async function argumentRules(stage: Stage): Promise<string> {
  const token = await stage.token("dana", "support");
  const refund = (id: number, amount: unknown) =>
    stage.call("support", token, "billing_refund", { id, amount, reason: "Charged twice" });
  const before = await rowsOf(stage, "/refunds");
  mustRefuse(await refund(1001, 80), "an invoice that was not read");
  await stage.call("support", token, "tickets_search", {});
  for (const id of [1001, 1004]) await stage.call("support", token, "billing_get_invoice", { id });
  mustRefuse(await refund(1001, 101), "101");
  mustRefuse(await refund(1004, 80), "another colleague's customer");
  for (const amount of ["80", 80.5, 1e308, -1, null, [80]]) {
    const { error_code, text } = await refund(1001, amount);
    must(error_code === "invalid_arguments", `${JSON.stringify(amount)} answered ${text}`);
  }
  const asked = await refund(1001, 80);
  must(asked.error_code === "confirmation_required", `80 answered ${asked.text}`);
  must((await rowsOf(stage, "/refunds")) === before, "a refund reached the API");
  return "at most 100, to customers of own tickets: nine other calls refused, one left to a human";
}

export async function changedLive(stage: Stage): Promise<string> {
  const file = join(stage.demo.ready.data, "mcp.config.json");
  const text = readFileSync(file, "utf8");
  const token = await stage.token("omar", "sales");
  const call = async () => {
    // Asked without a pause, the limit of requests would answer before the policy does.
    await sleep(25);
    return (await stage.call("sales", token, "crm_get_deal", { id: 43 })).text;
  };
  const opened = await call();
  must(opened.includes('"id":43'), `before the change: ${opened}`);
  const started = performance.now();
  try {
    writeFileSync(file, text.replace('"crm_get_deal": {},', ""));
    while (!(await call()).includes("Unknown tool")) {
      must(performance.now() - started < 20_000, "the changed file was not taken");
    }
    const ms = Math.round(performance.now() - started);
    writeFileSync(file, "{ not JSON");
    const broken = performance.now();
    while (performance.now() - broken < 2 * ms + 200) {
      const said = await call();
      must(said.includes("Unknown tool"), `a broken file changed the policy: ${said}`);
    }
    return `a tool taken out of the file was unknown ${ms} ms later; a broken file changed nothing`;
  } finally {
    writeFileSync(file, text);
    while (!(await call()).includes('"id":43')) {
      must(performance.now() - started < 60_000, "the old file was not taken back");
    }
  }
}
