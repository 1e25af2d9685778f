// The promises about people's links to other APIs, each with its attack.
import { must } from "./prove-stage.ts";
import type { Stage } from "./prove-stage.ts";
import { Visitor } from "./prove-visitor.ts";

const MESSAGE = { to: "c.harbour@harbour.example", subject: "Offer", body: "As agreed." };

async function send(stage: Stage, person: string) {
  const token = await stage.token(person, "sales");
  // Mail goes only to contacts of deals that the same session has read.
  await stage.call("sales", token, "crm_get_deal", { id: 42 });
  return stage.call("sales", token, "mail_send", MESSAGE);
}

async function invitation(stage: Stage, person: string): Promise<string> {
  const { error_code, result, text } = await send(stage, person);
  must(error_code === "connection_required", `answered ${text}`);
  const content = result?.["structuredContent"] as { error?: { details?: { url?: string } } };
  return content.error?.details?.url ?? "";
}

const mailRows = async (stage: Stage) =>
  (await stage.saasRows()).filter(({ path }) => path.startsWith("/mail/"));

export async function connected(stage: Stage): Promise<string> {
  const url = await invitation(stage, "mia");
  must(!/mia|acme/i.test(new URL(url).search), "the link names a person");
  const visitor = new Visitor();
  const page = await visitor.connect(url, "mia");
  must(page.html.includes("Connected"), `the page said ${page.status}`);
  const answer = await send(stage, "mia");
  must(answer.error_code === undefined, `the call answered ${answer.text}`);
  const [last] = (await mailRows(stage)).slice(-1);
  must(last?.subject === "mia" && last.status === 201, "the mail API's log does not name mia");
  await visitor.go(`${new URL(url).origin}/connect/mail`);
  await visitor.act("disconnect");
  await invitation(stage, "mia");
  return "connected, sent as mia by the API's own log, disconnected, and asked for again";
}

export async function samePerson(stage: Stage): Promise<string> {
  const before = (await mailRows(stage)).length;
  const refused = async (page: { html: string; status: number }, what: string): Promise<void> => {
    must(page.status === 403 && page.html.includes("Nothing was connected"), `${what} connected`);
    for (const person of ["mia", "omar"]) await invitation(stage, person);
  };
  await refused(await new Visitor().signIn(await invitation(stage, "mia"), "omar"), "her link");
  for (const hasSession of [false, true]) {
    const mia = new Visitor();
    await mia.signIn(await invitation(stage, "mia"), "mia");
    await mia.act("connect");
    const forwarded = mia.asked.find(
      (url) => new URL(url).pathname === "/auth" && url.includes("mail"),
    );
    const omar = new Visitor();
    if (hasSession) await omar.signIn(await invitation(stage, "omar"), "omar");
    await omar.go(forwarded ?? "");
    await refused(await omar.press("mailbox", "omar"), "the mail server's page");
  }
  must((await mailRows(stage)).length === before, "a mail was sent");
  return "her link, and the mail server's page with and without a session of his own: nothing";
}
