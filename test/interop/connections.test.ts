// People's links as an operator sees them, takes them away, locks their owners, and finds them
// changed behind doorless's back.
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect } from "vitest";
import { openHouse } from "../setup/house.ts";
import { readLines } from "../setup/ledger-files.ts";
import type { House } from "../setup/house.ts";
import { Visitor } from "../../src/cli/prove-visitor.ts";
import { verifies } from "../verifies.ts";
import { connectHttp } from "./clients.ts";
import type { Json } from "./clients.ts";
import { doorless, jsonLines } from "./command.ts";

const MESSAGE = { to: "c.harbour@harbour.example", subject: "Offer", body: "As agreed." };

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

const cli = (...args: string[]) => doorless([...args, "--data", house.data]);

async function send(person: string) {
  const url = house.ready.mcp["sales"] ?? "";
  const client = await connectHttp("v2 pinned", url, await house.token(person, "sales"));
  try {
    // Mail goes only to contacts of deals that this session has read.
    await client.call("crm_get_deal", { id: 42 });
    return await client.call("mail_send", MESSAGE);
  } finally {
    await client.close();
  }
}

/** Makes the link, where there is none. */
async function connect(person: string): Promise<void> {
  const { error } = await send(person);
  if (error === undefined) return;
  const url = String((error["details"] as Json | undefined)?.["url"]);
  const page = await new Visitor().connect(url, person);
  expect(page.html).toContain("Connected");
}

/** What the ledger keeps of people who signed in on a page, oldest first. */
function signIns(person: string): unknown[] {
  const lines = readLines(join(house.data, "ledger")).map((line) => JSON.parse(line) as Json);
  const details = lines.flatMap(({ event, detail }) =>
    event === "sign_in" ? [detail as Json] : [],
  );
  return details.filter(({ subject }) => subject === person).map(({ what }) => what);
}

/** Writes to the vault's file, as somebody who stole into the machine would. */
function behindItsBack(sql: string): void {
  const db = new DatabaseSync(join(house.data, "vault.sqlite"));
  db.exec(sql);
  db.close();
}

verifies(
  ["connections.disconnect", "cli.no-token"],
  "connections ls shows who has which, and revoke takes it away here and upstream",
  async () => {
    await Promise.all([connect("mia"), connect("omar")]);
    const listed = await cli("connections", "ls", "--json");
    expect(jsonLines<Json>(listed)).toMatchObject([
      { subject: "mia", tenant: "acme", connector: "mail", state: "connected" },
      { subject: "omar", account: "omar@acme.example" },
    ]);
    const revoked = await cli("connections", "revoke", "mia", "mail", "--json");
    expect(revoked.code).toBe(0);
    expect(jsonLines<Json>(revoked)).toMatchObject([{ subject: "mia", revoked_upstream: "yes" }]);
    expect((await send("mia")).error).toMatchObject({ code: "connection_required" });
    expect((await send("omar")).isError).toBe(false);
    const again = await cli("connections", "revoke", "mia");
    expect(again).toMatchObject({ code: 1, stderr: expect.stringMatching(/mia has no link/) });
    expect((await cli("connections", "ls")).stdout).toMatch(/mia +acme +mail +disconnected/);
    expect(listed.stdout + revoked.stdout).not.toMatch(/eyJ|refresh|token/);
  },
  { timeout_ms: 60_000 },
);

verifies("vault.rotate", "keys rotate --vault keeps every link working", async () => {
  await connect("omar");
  const rotated = await cli("keys", "rotate", "--vault", "--json");
  expect(jsonLines<Json>(rotated)).toMatchObject([{ left: 0 }]);
  expect((await send("omar")).isError).toBe(false);
});

verifies(
  "vault.rolled-back",
  "a link that was put back is refused, loudly, until it is made anew",
  async () => {
    await connect("mia");
    behindItsBack("CREATE TABLE stolen AS SELECT * FROM links WHERE subject = 'mia'");
    await cli("connections", "revoke", "mia");
    behindItsBack("REPLACE INTO links SELECT * FROM stolen; DROP TABLE stolen");
    const { error, text } = await send("mia");
    expect(error).toMatchObject({ code: "connection_damaged", who_can_fix: "operator" });
    expect(house.logged()).toContain("a stored link is damaged");
    expect((await cli("connections", "ls")).stdout).toMatch(/mia +acme +mail +damaged/);
    const page = /http\S+\/connect\/mail/.exec(text)?.[0] ?? "";
    const visitor = new Visitor();
    await visitor.signIn(page, "mia");
    await visitor.act("connect");
    expect((await visitor.press("mailbox", "mia")).html).toContain("Connected");
    expect((await send("mia")).isError).toBe(false);
  },
);

verifies(
  "connections.locked",
  "who is locked connects nothing, also on a page that is open",
  async () => {
    const visitor = new Visitor();
    await visitor.signIn(`${new URL(house.ready.mcp["sales"] ?? "").origin}/connect/mail`, "omar");
    expect(visitor.page.html).toContain("Connect Acme Mail");
    await cli("lock", "add", "user:omar", "--reason", "left the company");
    try {
      expect(await visitor.act("connect")).toMatchObject({ status: 403 });
      await visitor.go("/connect/mail");
      const { status, html } = await visitor.press("person", "omar");
      expect({ status, html }).toMatchObject({
        status: 403,
        html: expect.stringMatching(/stopped/),
      });
      expect(signIns("omar").slice(-2)).toEqual(["done", "refused"]);
    } finally {
      await cli("lock", "rm", "user:omar");
    }
  },
);
