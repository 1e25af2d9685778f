// A policy that changes while it is served: whole or not at all, for what runs too, on record.
import { afterAll, beforeAll, expect } from "vitest";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "../../src/config/problem.ts";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { callTool, mcpHeaders, post, rpc } from "../setup/mcp-post.ts";
import { stopDesk } from "../setup/stop-desk.ts";
import { verifies } from "../verifies.ts";

type Json = Record<string, unknown>;

let boundary: Boundary;
let first: Json;

beforeAll(async () => {
  boundary = await openBoundary();
  await boundary.reconfigure((file) => {
    first = { ...file, roles: { staff: { desk: "all" }, reader: { desk: ["item_get"] } } };
    return first;
  });
});
afterAll(() => boundary.close());

const tokenOf = (sub: string, role: string): Promise<string> =>
  boundary.token("desk", { sub, sid: `of-${sub}`, org: { tenant: "acme", roles: [role] } });
const url = (): string => `${boundary.url}/mcp/desk`;
const call = (token: string, name: string, args: Json = { id: "7" }) =>
  callTool(url(), `Bearer ${token}`, name, args);

async function namesOf(token: string): Promise<string[]> {
  const headers = { ...mcpHeaders("tools/list"), authorization: `Bearer ${token}` };
  const { message } = await post(url(), headers, JSON.stringify(rpc("tools/list")));
  const { tools = [] } = (message?.["result"] ?? {}) as { tools?: { name: string }[] };
  return tools.map(({ name }) => name);
}

/** Takes the first configuration back, with other tools for the agent `desk`. */
const withTools = (tools: Json, rest: Json = {}): Promise<boolean> =>
  boundary.reconfigure(() => {
    const agents = first["agents"] as Record<string, Json>;
    return { ...first, agents: { ...agents, desk: { ...agents["desk"], tools } }, ...rest };
  });
const events = (name: string): Json[] =>
  boundary
    .ledger()
    .filter(({ event }) => event === name)
    .map(({ detail }) => detail as Json);

verifies("policy.live", "a changed policy counts for the next request of a session", async () => {
  const ada = await tokenOf("ada", "staff");
  expect(await namesOf(ada)).toContain("item_rename");
  expect(await withTools({ item_get: { arguments: { id: { enum: ["8"] } } } })).toBe(true);
  expect(await namesOf(ada)).toEqual(["item_get"]);
  expect((await call(ada, "item_get")).error).toMatchObject({ code: "argument_not_allowed" });
  expect((await call(ada, "item_get", { id: "8" })).error).toBeUndefined();
  await boundary.reconfigure(() => first);
  expect((await call(ada, "item_get")).error).toBeUndefined();
});

verifies(
  "policy.live",
  "the hashes of both are on record, and each call names its own",
  async () => {
    const ada = await tokenOf("ada", "staff");
    await call(ada, "item_get");
    await withTools({ item_get: {} });
    await call(ada, "item_get");
    const { from, to } = events("policy").at(-1) ?? {};
    const policies = boundary
      .ledger()
      .filter(({ kind }) => kind === "intent")
      .map((one) => one["policy"]);
    expect(policies.slice(-2)).toEqual([from, to]);
    expect(from).not.toBe(to);
    // Nothing different is no change.
    const count = events("policy").length;
    expect(await withTools({ item_get: {} })).toBe(false);
    expect(events("policy")).toHaveLength(count);
    await boundary.reconfigure(() => first);
  },
);

verifies(
  "policy.live",
  "a mistake changes nothing, and neither does what needs a restart",
  async () => {
    const ada = await tokenOf("ada", "staff");
    const before = await namesOf(ada);
    const mistakes: [Json, RegExp][] = [
      [{ agents: { desk: {} } }, /\/agents\/desk/],
      [{ roles: { staff: { attic: "all" } } }, /unknown agent/],
      [{ public_url: "http://127.0.0.1:1" }, /\/public_url.*changed/],
      [{ limits: {} }, /\/limits.*changed/],
    ];
    for (const [change, says] of mistakes) {
      const refused = boundary.reconfigure(() => ({ ...first, ...change }));
      const error = await refused.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ConfigError);
      expect(String(error)).toMatch(says);
    }
    const unknown = withTools({ item_get: {}, no_such_tool: {} });
    await expect(unknown).rejects.toThrow(/no such tool/);
    const moved = boundary.reconfigure(() => {
      const agents = first["agents"] as Record<string, Json>;
      return { ...first, agents: { ...agents, desk: { ...agents["desk"], purpose: "Another" } } };
    });
    await expect(moved).rejects.toThrow(/\/agents\/desk.*changed/);
    expect(await namesOf(ada)).toEqual(before);
    await boundary.reconfigure(() => first);
  },
);

verifies(
  "policy.live",
  "a call under way is judged again before its token and its answer",
  async () => {
    const ada = await tokenOf("ada", "staff");
    const arrived = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    boundary.api.answer = async (res) => {
      arrived.resolve();
      await released.promise;
      res.writeHead(200, { "content-type": "application/json" }).end('{"id":"7","name":"a lamp"}');
    };
    const running = call(ada, "item_patient", {});
    await arrived.promise;
    await withTools({ item_get: {} });
    released.resolve();
    const { error, text } = await running;
    expect(error).toMatchObject({ code: "access_revoked", effect: "none" });
    expect(text).not.toContain("a lamp");
    await boundary.api.behave();
    await boundary.reconfigure(() => first);
  },
);

verifies(
  "policy.live",
  "list_changed goes to those whose surface changed, and to nobody else",
  async () => {
    const open = async (token: string): Promise<ReadableStreamDefaultReader<Uint8Array>> => {
      const response = await fetch(url(), {
        method: "POST",
        headers: { ...mcpHeaders("subscriptions/listen"), authorization: `Bearer ${token}` },
        body: JSON.stringify(
          rpc("subscriptions/listen", { notifications: { toolsListChanged: true } }),
        ),
      });
      if (response.body === null) throw new Error("no stream");
      return response.body.getReader();
    };
    // Of each stream, all that came until its session was ended.
    const readAll = async (stream: Awaited<ReturnType<typeof open>>): Promise<number> => {
      let text = "";
      for (;;) {
        const { done, value } = await stream.read();
        if (done) return text.match(/tools\/list_changed/g)?.length ?? 0;
        text += Buffer.from(value).toString("utf8");
      }
    };
    const [hers, eves] = [await tokenOf("sue", "staff"), await tokenOf("eve", "reader")];
    for (const token of [hers, eves]) await namesOf(token);
    const [staff, reader] = [readAll(await open(hers)), readAll(await open(eves))];
    await withTools({ item_get: {} });
    await withTools({ item_get: {}, item_find: {} });
    await withTools({ item_get: { arguments: { id: { enum: ["1"] } } } });
    const desk = stopDesk(boundary);
    for (const { id, subject } of await desk.sessions()) {
      if (subject === "sue" || subject === "eve") await desk.kill(String(id));
    }
    expect(await Promise.all([staff, reader])).toEqual([3, 1]);
    await boundary.reconfigure(() => first);
  },
);

verifies("policy.shadow", "what a tried policy would refuse is on record, and runs", async () => {
  const tried = join(boundary.data, "..", "tried.json");
  const agents = first["agents"] as Record<string, Json>;
  const tools = {
    item_get: { arguments: { id: { enum: ["8"] } } },
    item_find: { approve: "human" },
    item_typed: {},
  };
  const desk = { ...agents["desk"], tools };
  writeFileSync(tried, JSON.stringify({ ...first, agents: { ...agents, desk } }));
  await boundary.reconfigure(() => ({ ...first, shadow: "tried.json" }));
  const ada = await tokenOf("ada", "staff");
  const calls: [string, Json][] = [
    ["item_get", { id: "7" }],
    ["item_get", { id: "8" }],
    ["item_rename", { id: "7", name: "x" }],
    ["item_find", {}],
  ];
  for (const [name, args] of calls) expect((await call(ada, name, args)).error).toBeUndefined();
  // What the policy in force refuses is no news of the other.
  expect((await call(ada, "item_get", {})).error).toMatchObject({ code: "invalid_arguments" });
  const said = events("shadow").map(({ tool, would, rule, subject }) => [
    tool,
    would,
    rule,
    subject,
  ]);
  expect(said).toEqual([
    ["item_get", "refuse", expect.stringMatching(/^tried\.json:\d+$/), "ada"],
    ["item_rename", "hide", null, "ada"],
    ["item_find", "ask a human", expect.stringMatching(/tried\.json:\d+/), "ada"],
  ]);
  writeFileSync(tried, "{");
  await expect(boundary.reconfigure((file) => file)).rejects.toThrow(/tried\.json/);
  await boundary.reconfigure(() => first);
});
