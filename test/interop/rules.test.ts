// The demo's rules, through real clients: mail to contacts of deals that were read, refunds of at
// most 100 to customers of own tickets.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { openHouse } from "../setup/house.ts";
import type { House } from "../setup/house.ts";
import { verifies } from "../verifies.ts";
import { connectHttp } from "./clients.ts";
import type { Json } from "./clients.ts";
import { doorless, jsonLines } from "./command.ts";

const CONTACT = "c.harbour@harbour.example";

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

/** A session of its own: each token is of another sign-in. */
async function session(person: string, agent: string) {
  const token = await house.token(person, agent);
  const url = house.ready.mcp[agent] ?? "";
  return { token, open: () => connectHttp("v2 pinned", url, token) };
}

const mail = (to: string) => ({ to, subject: "Offer", body: "As agreed." });
const refund = (id: number, amount: number) => ({ id, amount, reason: "Charged twice" });

const rows = async (path: string): Promise<Json[]> =>
  ((await (await fetch(`${house.ready.api}/audit`)).json()) as Json[]).filter((row) =>
    String(row["path"]).includes(path),
  );

verifies(
  ["policy.seen", "policy.rules"],
  "mail goes to contacts of deals that this session has read, and to nobody else",
  async () => {
    const { open } = await session("mia", "sales");
    const client = await open();
    const send = async (to: string) => (await client.call("mail_send", mail(to))).error;
    const refused = { code: "argument_not_allowed", who_can_fix: "agent", effect: "none" };
    const told = /a \/contact_email that crm_get_deal answered in this session/;
    expect(await send(CONTACT)).toMatchObject({
      ...refused,
      details: { arguments: [{ path: "/to", allowed: expect.stringMatching(told) }] },
    });
    await client.call("crm_get_deal", { id: 42 });
    // Through the rules, and on to her mailbox, which is not connected.
    expect(await send(CONTACT)).toMatchObject({ code: "connection_required" });
    for (const to of [
      "C.harbour@harbour.example",
      "c.h\u0430rbour@harbour.example",
      "x@evil.test",
    ]) {
      expect((await send(to))?.["code"]).toMatch(/argument_not_allowed|invalid_arguments/);
    }
    await client.close();
    // The same sign-in goes on where it was; another one of hers has read nothing.
    const again = await open();
    expect((await again.call("mail_send", mail(CONTACT))).error).toMatchObject({
      code: "connection_required",
    });
    await again.close();
    const other = await (await session("mia", "sales")).open();
    expect((await other.call("mail_send", mail(CONTACT))).error).toMatchObject(refused);
    await other.call("crm_search_deals", { q: "Warehouse" });
    expect((await other.call("mail_send", mail(CONTACT))).error).toMatchObject({
      code: "connection_required",
    });
    await other.close();
    expect(await rows("/mail/")).toEqual([]);
  },
);

verifies(
  ["policy.seen", "policy.rules", "policy.narrowed"],
  "a refund is of at most 100, to a customer of a ticket of one's own, read in any order",
  async () => {
    const client = await (await session("dana", "support")).open();
    const ask = async (id: number, amount: number) =>
      (await client.call("billing_refund", refund(id, amount))).error;
    const paths = (error: Json | undefined) =>
      (error?.["details"] as { arguments?: Json[] } | undefined)?.arguments?.map(
        (one) => one["path"],
      );
    expect(paths(await ask(1001, 80))).toEqual(["/id"]);
    await client.call("billing_get_invoice", { id: 1001 });
    await client.call("billing_get_invoice", { id: 1004 });
    expect(paths(await ask(1001, 80))).toEqual(["/id"]);
    await client.call("tickets_search", {});
    expect(await ask(1001, 80)).toMatchObject({ code: "confirmation_required" });
    expect(await ask(1001, 100)).toMatchObject({ code: "confirmation_required" });
    const tooMuch = await ask(1001, 101);
    expect(tooMuch).toMatchObject({
      code: "argument_not_allowed",
      details: { arguments: [{ path: "/amount", allowed: "at most 100" }] },
    });
    // Its customer wrote to Pavel, and this invoice was never read.
    expect(paths(await ask(1004, 80))).toEqual(["/id"]);
    expect(paths(await ask(1005, 80))).toEqual(["/id"]);
    await client.close();
    expect(await rows("/refunds")).toEqual([]);
  },
);

verifies("policy.rules", "a refusal by a rule is on record, with the rule's line", async () => {
  const filter = ["--tool", "billing_refund", "--outcome", "refused", "--json"];
  const ran = await doorless(["audit", "query", ...filter, "--data", house.data]);
  const refused = jsonLines<Json>(ran);
  const records = refused.filter((one) => one["error_code"] === "argument_not_allowed");
  expect(records.length).toBeGreaterThan(1);
  for (const record of records) {
    expect(record["rule"]).toMatch(/^mcp\.config\.json:\d+$/);
    expect(record).toMatchObject({ user: "Dana Okafor", effect: "none", downstream: [] });
  }
});

verifies(
  "policy.plan",
  "plan finds a gained write, for people listed and people seen",
  async () => {
    const file = join(house.data, "next.json");
    const text = readFileSync(join(house.data, "mcp.config.json"), "utf8");
    const next = JSON.parse(text) as { roles: Json };
    next.roles["support"] = { support: "all", sales: ["crm_update_deal_stage"] };
    writeFileSync(file, JSON.stringify(next, null, 2));
    const at = ["--data", house.data, "--json"];
    const same = await doorless(["plan", join(house.data, "mcp.config.json"), ...at]);
    expect([same.code, jsonLines<Json>(same)[0]]).toMatchObject([0, { people: 7, changes: [] }]);
    for (const [option, people] of [
      [[], ["dana", "zoe"]],
      [["--ledger"], ["Dana Okafor"]],
    ] as const) {
      const ran = await doorless(["plan", file, ...option, ...at]);
      const changes = jsonLines<{ changes: Json[] }>(ran)[0]?.changes ?? [];
      expect([ran.code, changes.map(({ person }) => String(person))]).toEqual([1, people]);
      expect(changes[0]).toMatchObject({
        agent: "sales",
        gained: [
          {
            tool: "crm_update_deal_stage",
            effect: "write",
            rule: expect.stringMatching(/next\.json:\d+/),
          },
        ],
        lost: [],
      });
    }
  },
);

verifies(
  "surface.explain",
  "explain says what arguments a tool takes, and judges some",
  async () => {
    const ask = (args: object) =>
      doorless(
        ["explain", "support", "--as", "dana", "--tool", "billing_refund", "--json"].concat(
          "--args",
          JSON.stringify(args),
          "--data",
          house.data,
        ),
      );
    const [answer] = jsonLines<{ tools: Json[] }>(await ask(refund(1001, 101)));
    expect(answer?.tools[0]).toMatchObject({
      allowed: false,
      why: expect.stringMatching(/\/amount: at most 100; \/id: a \/id that billing_get_invoice/),
    });
    const bare = ["explain", "support", "--as", "dana", "--tool", "billing_refund", "--json"];
    const [open] = jsonLines<{ tools: Json[] }>(await doorless([...bare, "--data", house.data]));
    expect(open?.tools[0]).toMatchObject({ allowed: true, approve: "human" });
    expect(open?.tools[0]?.["arguments"]).toContainEqual({
      path: "/amount",
      allowed: "at most 100",
      rule: expect.stringMatching(/^mcp\.config\.json:\d+$/),
    });
  },
);
