// The promises about calls that a human must approve, each with its attack.
import { must } from "./prove-stage.ts";
import type { Answer, Stage } from "./prove-stage.ts";
import { Visitor } from "./prove-visitor.ts";

const REFUND = { id: 1001, amount: 80, reason: "Charged twice" };

const refundsIn = async (stage: Stage) =>
  (await stage.saasRows()).filter(({ path }) => path.endsWith("/refunds"));

/** Dana, who has read whose tickets are hers and what they were charged: she may refund these. */
async function danaReads(stage: Stage, ...invoices: number[]): Promise<string> {
  const token = await stage.token("dana", "support");
  await read(stage, token, ...invoices);
  return token;
}

async function read(stage: Stage, token: string, ...invoices: number[]): Promise<void> {
  await stage.call("support", token, "tickets_search", {});
  for (const id of invoices) await stage.call("support", token, "billing_get_invoice", { id });
}

function refund(stage: Stage, token: string, args: object = REFUND): Promise<Answer> {
  return stage.call("support", token, "billing_refund", args);
}

/** The link of a refund that is refused for want of a yes. */
async function question(stage: Stage, token: string, args: object = REFUND): Promise<string> {
  const { error_code, result, text } = await refund(stage, token, args);
  must(error_code === "confirmation_required", `without a yes it answered ${text}`);
  const content = result?.["structuredContent"] as { error?: { details?: { url?: string } } };
  return content.error?.details?.url ?? "";
}

export async function approvedOnce(stage: Stage): Promise<string> {
  const token = await danaReads(stage, 1001);
  const before = (await refundsIn(stage)).length;
  const url = await question(stage, token);
  const dana = new Visitor();
  const page = await dana.signIn(url, "dana");
  for (const shown of ["POST /billing/invoices/1001/refunds", "Charged twice", "Acme Billing"]) {
    must(page.html.includes(shown), `the page does not show ${shown}`);
  }
  must((await dana.act("yes")).html.includes("You said yes"), `the page said ${dana.page.status}`);
  await question(stage, token, { ...REFUND, amount: 79 });
  const all = await Promise.all(Array.from({ length: 5 }, () => refund(stage, token)));
  const ran = all.filter(({ error_code }) => error_code === undefined);
  must(ran.length === 1, `${ran.length} of 5 calls at once ran`);
  await question(stage, token);
  const rows = (await refundsIn(stage)).slice(before);
  must(rows.length === 1 && rows[0]?.subject === "dana", `the API saw ${rows.length} refunds`);
  const [record] = await stage.ledger({ call_id: ran[0]?.call_id });
  must(record?.approved_by === "dana", `approved_by is ${record?.approved_by}`);
  return "shown as sent, Dana said yes: 1 of 5 calls at once ran, no other amount, no replay";
}

export async function nobodyElse(stage: Stage): Promise<string> {
  const token = await danaReads(stage, 1002);
  const before = (await refundsIn(stage)).length;
  const url = await question(stage, token, { ...REFUND, id: 1002 });
  const { origin } = new URL(url);
  const unknown = `${origin}/approve/${"A".repeat(43)}`;
  const mia = new Visitor();
  const theirs = await mia.signIn(url, "mia");
  const never = await mia.go(unknown);
  must(theirs.status === 404 && theirs.html === never.html, "to Mia, Dana's question shows");
  const headers = { authorization: `Bearer ${token}`, origin };
  const body = new URLSearchParams({ act: "yes", csrf: "x" });
  const forced = await fetch(url, { method: "POST", headers, body, redirect: "manual" });
  must(forced.status === 403, `the client itself got ${forced.status}`);
  const dana = new Visitor();
  await dana.signIn(url, "dana");
  dana.page = { ...dana.page, url: new URL("http://evil.example/") };
  must((await dana.go(url, { act: "yes" })).status === 403, "a foreign page's form was taken");
  await dana.go(url);
  await dana.act("yes");
  await stage.ask("/locks/add", { what: "user:dana", reason: "prove" });
  const locked = await refund(stage, token, { ...REFUND, id: 1002 });
  await stage.ask("/locks/rm", { what: "user:dana" });
  await read(stage, token, 1002);
  must(locked.error_code === "locked", `while Dana is locked: ${locked.text}`);
  await question(stage, token, { ...REFUND, id: 1002 });
  must((await refundsIn(stage)).length === before, "a refund reached the API");
  return "Mia, the client and its token, a foreign page, a yes from before a lock: nothing ran";
}
