// An API that has nothing better than a key: the person pastes her own on /connect.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { Visitor } from "../../src/cli/prove-visitor.ts";
import { verifies } from "../verifies.ts";
import { connectHttp } from "./clients.ts";
import type { Json } from "./clients.ts";
import { openWatchedHouse } from "./recorder.ts";
import type { WatchedHouse } from "./recorder.ts";

const KEY = "sk-canary-2f9c71";
const MESSAGE = { to: "c.harbour@harbour.example", subject: "Offer", body: "As agreed." };

let house: WatchedHouse;
beforeAll(async () => {
  house = await openWatchedHouse((config) => {
    const { mail } = config["connectors"] as Record<string, Json>;
    const help = "Acme Mail, settings, API keys";
    Object.assign(mail ?? {}, {
      delegation: { kind: "key", header: "X-Api-Key", scheme: "", help },
    });
  });
});
afterAll(() => house.close());

async function send(person: string) {
  const client = await connectHttp(
    "v2 pinned",
    house.urlOf("sales"),
    await house.token(person, "sales"),
  );
  try {
    // Mail goes only to contacts of deals that this session has read.
    await client.call("crm_get_deal", { id: 42 });
    return await client.call("mail_send", MESSAGE);
  } finally {
    await client.close();
  }
}

async function invited(person: string): Promise<string> {
  const { error } = await send(person);
  expect(error?.["code"]).toBe("connection_required");
  return String((error?.["details"] as Json | undefined)?.["url"]);
}

verifies(
  "connections.own-key",
  "a pasted key is sent as the API wants it, for its owner alone, and is nowhere to be read",
  async () => {
    const visitor = new Visitor();
    const page = await visitor.signIn(await invited("mia"), "mia");
    expect(page.html).toMatch(/Acme Mail, settings, API keys[\s\S]*type="password"/);
    await visitor.act("key", { key: "with spaces in it" });
    expect(visitor.page).toMatchObject({ status: 422 });
    const again = new Visitor();
    await again.signIn(await invited("mia"), "mia");
    expect((await again.act("key", { key: ` ${KEY} ` })).html).toContain("Acme Mail is connected");
    await send("mia");
    const seen = house.recorder.seen.filter(({ path }) => path.startsWith("/mail/"));
    expect(seen).toHaveLength(1);
    expect(seen[0]?.headers).toMatchObject({ "x-api-key": KEY });
    expect(seen[0]?.headers["authorization"]).toBeUndefined();
    await invited("omar");
    const files = readdirSync(house.data, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"));
    expect(files.join("") + house.logged()).not.toContain(KEY);
    await again.signIn(`${new URL(house.urlOf("sales")).origin}/connect/mail?as=other`, "mia");
    expect((await again.act("disconnect")).html).toMatch(/Delete the key in your account/);
    await invited("mia");
  },
);

verifies(
  "connections.own-key",
  "without the page's own token, or its session, nothing is stored",
  async () => {
    const visitor = new Visitor();
    await visitor.signIn(await invited("mia"), "mia");
    const path = visitor.page.url.pathname;
    const e = new URL(visitor.page.url.href).searchParams.get("e") ?? "";
    expect((await visitor.go(path, { csrf: "guessed", e, act: "key", key: KEY })).status).toBe(403);
    const stranger = new Visitor();
    stranger.page = visitor.page;
    expect((await stranger.go(path, { csrf: "guessed", e, act: "key", key: KEY })).status).toBe(
      403,
    );
    const elsewhere = new Visitor();
    expect(
      (await elsewhere.go(`${new URL(house.urlOf("sales")).origin}${path}`, { act: "key" })).status,
    ).toBe(403);
    await invited("mia");
  },
);

verifies(
  "connections.missing-door",
  "who has no tool of an API is told nothing of its page",
  async () => {
    const origin = new URL(house.urlOf("sales")).origin;
    const pages = [];
    for (const connector of ["mail", "crm", "nosuch"]) {
      const visitor = new Visitor();
      const { status, html } = await visitor.signIn(`${origin}/connect/${connector}`, "dana");
      pages.push({ status, html });
    }
    expect(pages[0]?.status).toBe(404);
    expect(new Set(pages.map(({ html }) => html)).size).toBe(1);
  },
);
