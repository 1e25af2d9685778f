// Connecting an account in a real browser, and the three ways in which one person could be made to
// give hers to another. Two accounts, two authorization servers.
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { askLocal } from "../../src/console/local.ts";
import type { LinkView } from "../../src/delegation/connections.ts";
import { connectHttp } from "../interop/clients.ts";
import type { Json } from "../interop/clients.ts";
import { BrowserHouse } from "../setup/browser-house.ts";
import { NO_CHROMIUM } from "../setup/chromium.ts";
import { verifies } from "../verifies.ts";

const MESSAGE = { to: "c.harbour@harbour.example", subject: "Offer", body: "As agreed." };
const ASKER = { os_user: "a test" };
const REFUSED = /Nothing was connected/;

const stage = new BrowserHouse();

async function send(person: string) {
  const url = stage.house.ready.mcp["sales"] ?? "";
  const client = await connectHttp("v2 pinned", url, await stage.house.token(person, "sales"));
  try {
    // Mail goes only to contacts of deals that this session has read.
    await client.call("crm_get_deal", { id: 42 });
    return await client.call("mail_send", MESSAGE);
  } finally {
    await client.close();
  }
}

/** The link that a refused call gives to this person. */
async function invitation(person: string): Promise<string> {
  const { error } = await send(person);
  expect(error).toMatchObject({ code: "connection_required" });
  return linkIn(error);
}

function linkIn(error: Json | undefined): string {
  const details = error?.["details"] as { url?: string } | undefined;
  return details?.url ?? "";
}

/** Opens a page of doorless, and signs in at the identity provider when asked. */
async function openAs(page: Page, url: string, name: string): Promise<void> {
  await page.goto(url);
  await page.getByRole("button", { name }).click();
}

/** To Acme Mail's own page. Resolves with the request that led there: what one can forward. */
async function depart(page: Page): Promise<string> {
  const asked = page.waitForRequest((request) => new URL(request.url()).pathname === "/auth");
  await page.getByRole("button", { name: "Connect" }).click();
  await page.getByText("Allow the use of your mailbox?").waitFor();
  return (await asked).url();
}

async function heading(page: Page): Promise<string> {
  return (await page.locator("main").innerText()).trim();
}

const linked = async (): Promise<string[]> => {
  const links = (await askLocal(stage.house.data, "core", "/connections", ASKER)) as LinkView[];
  return links.filter(({ state }) => state === "connected").map(({ subject }) => subject);
};

verifies(
  ["connections.connect", "connections.disconnect"],
  "Mia connects her mailbox in a browser, and her call goes through as her",
  async () => {
    const page = await stage.browserOf();
    await openAs(page, await invitation("mia"), "Mia");
    expect(await heading(page)).toMatch(/Connect Acme Mail[\s\S]*Mia Lindqvist[\s\S]*mail:send/);
    await depart(page);
    await page.getByRole("button", { name: "mia@acme.example" }).click();
    expect(await heading(page)).toMatch(/Connected[\s\S]*as mia@acme\.example/);
    const sent = await send("mia");
    expect(sent.value).toMatchObject({ status: "queued", created_by: "mia" });
    const rows = (await (await fetch(`${stage.house.ready.api}/audit`)).json()) as object[];
    expect(rows.at(-1)).toMatchObject({ subject: "mia", path: "/mail/messages", status: 201 });
    await page.goto(`${new URL(stage.house.ready.mcp["sales"] ?? "").origin}/connect/mail`);
    await page.getByRole("button", { name: "Disconnect" }).click();
    expect(await heading(page)).toMatch(/Disconnected[\s\S]*has forgotten it, too/);
    expect((await send("mia")).error).toMatchObject({ code: "connection_required" });
  },
  { skip: NO_CHROMIUM, timeout_ms: 60_000 },
);

verifies(
  "connections.same-person",
  "a link that Mia sends to Omar connects nothing: he is not the one who was invited",
  async () => {
    const bob = await stage.browserOf();
    await openAs(bob, await invitation("mia"), "Omar");
    expect(await heading(bob)).toMatch(/made for somebody else[\s\S]*Nothing was connected/);
    expect(await linked()).toEqual([]);
  },
  { skip: NO_CHROMIUM, timeout_ms: 60_000 },
);

verifies(
  "connections.same-person",
  "the mail server's page that Mia forwards to Omar, who has no session here, connects nothing",
  async () => {
    const alice = await stage.browserOf();
    await openAs(alice, await invitation("mia"), "Mia");
    const forwarded = await depart(alice);
    const bob = await stage.browserOf();
    await bob.goto(forwarded);
    await bob.getByRole("button", { name: "omar@acme.example" }).click();
    expect(await heading(bob)).toMatch(REFUSED);
    expect(await linked()).toEqual([]);
    expect((await send("mia")).error).toMatchObject({ code: "connection_required" });
  },
  { skip: NO_CHROMIUM, timeout_ms: 60_000 },
);

verifies(
  "connections.same-person",
  "the same, forwarded to Omar who has a session of his own here, connects nothing to either",
  async () => {
    const bob = await stage.browserOf();
    await openAs(bob, await invitation("omar"), "Omar");
    await bob.getByText("Connect Acme Mail").waitFor();
    const alice = await stage.browserOf();
    await openAs(alice, await invitation("mia"), "Mia");
    const forwarded = await depart(alice);
    await bob.goto(forwarded);
    await bob.getByRole("button", { name: "omar@acme.example" }).click();
    expect(await heading(bob)).toMatch(REFUSED);
    expect(await linked()).toEqual([]);
  },
  { skip: NO_CHROMIUM, timeout_ms: 60_000 },
);

verifies(
  "connections.once",
  "a link works once, and the way back works once",
  async () => {
    const url = await invitation("mia");
    const page = await stage.browserOf();
    await openAs(page, url, "Mia");
    await depart(page);
    let callback = "";
    page.on("request", (request) => {
      if (request.url().includes("/callback?")) callback = request.url();
    });
    await page.getByRole("button", { name: "mia@acme.example" }).click();
    expect(await heading(page)).toMatch(/Connected/);
    await page.goto(callback);
    expect(await heading(page)).toMatch(REFUSED);
    await page.goto(url);
    expect(await heading(page)).toMatch(/was used, or is older than ten minutes/);
    expect(await linked()).toEqual(["mia"]);
  },
  { skip: NO_CHROMIUM, timeout_ms: 60_000 },
);
