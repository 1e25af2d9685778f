// `lock` and `sessions` from the command line, against the demo, and across a restart of it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { startDemo } from "../../src/cli/demo-world.ts";
import { createLogger } from "../../src/telemetry/log.ts";
import { openHouse } from "../setup/house.ts";
import type { House } from "../setup/house.ts";
import { verifies } from "../verifies.ts";
import { CLIENT_KINDS, connectHttp } from "./clients.ts";
import { doorless, jsonLines } from "./command.ts";
import type { Json } from "./clients.ts";

let house: House;

beforeAll(async () => {
  house = await openHouse();
});

afterAll(() => house.close());

const at = (): string[] => ["--data", house.data];
const run = (...words: string[]) => doorless([...words, ...at()]);
const sales = (): string => house.ready.mcp["sales"] ?? "";

verifies(
  ["revocation.lock", "errors.shape"],
  "lock add user:mia empties her list and refuses her calls in every client; lock rm undoes it",
  async () => {
    for (const kind of CLIENT_KINDS) {
      const client = await connectHttp(kind, sales(), await house.token("mia", "sales"));
      expect((await client.names()).length).toBeGreaterThan(0);
      const locked = await run("lock", "add", "user:mia", "--reason", "left the company");
      expect(locked).toMatchObject({ code: 0, stderr: "" });
      expect(await client.names()).toEqual([]);
      const refused = await client.call("crm_get_deal", { id: 42 });
      expect(refused).toMatchObject({
        isError: true,
        error: { code: "locked", message: expect.not.stringContaining("left the company") },
      });
      const listed = jsonLines<Json>(await run("lock", "ls", "--json"));
      expect(listed).toMatchObject([{ reason: "left the company" }]);
      expect(await run("lock", "rm", "user:mia")).toMatchObject({ code: 0 });
      expect((await client.call("crm_get_deal", { id: 42 })).isError).toBe(false);
      await client.close();
    }
    expect((await run("lock", "rm", "user:mia")).code).toBe(1);
    const empty = { code: 0, stdout: "" };
    expect(await run("lock", "ls")).toEqual({ ...empty, stderr: "nothing is locked\n" });
    expect(await run("lock", "ls", "--json")).toEqual({ ...empty, stderr: "" });
    expect((await run("lock", "add", "user:nobody")).code).toBe(2);
    expect((await run("lock", "add")).code).toBe(2);
  },
  { timeout_ms: 120_000 },
);

verifies("revocation.sessions", "sessions ls shows a session, sessions kill ends it", async () => {
  const client = await connectHttp("v2 pinned", sales(), await house.token("omar", "sales"));
  await client.list();
  const sessions = jsonLines<Json>(await run("sessions", "ls", "--json"));
  const his = sessions.find(({ subject }) => subject === "omar");
  expect(his).toMatchObject({ agent: "sales", tenant: "acme", name: "Omar Haddad" });
  const [head, first] = (await run("sessions", "ls")).stdout.split("\n");
  expect(head).toMatch(/^SESSION +USER +AGENT +SEEN +CALLS NOW +STREAMS NOW +CLIENT$/);
  expect(first).toContain("Omar Haddad");
  expect(await run("sessions", "kill", String(his?.["id"]))).toMatchObject({ code: 0 });
  await expect(client.list()).rejects.toThrow();
  expect((await run("sessions", "kill", "nonsense")).code).toBe(2);
  await client.close();
});

verifies(
  ["cli.call", "resend.once", "resend.recorded"],
  "call --idempotency-key runs a write once, and audit query shows both calls",
  async () => {
    const env = { DOORLESS_TOKEN: await house.token("mia", "sales") };
    const words = ["call", "crm_update_deal_stage", '{"id":42,"stage":"won"}', "--agent", "sales"];
    const key = ["--idempotency-key", "a script's own", "--json"];
    const both = await Promise.all(
      [1, 2].map(() => doorless([...words, ...key, ...at()], { env })),
    );
    const metas = both.map((ran) => jsonLines<{ _meta: Json }>(ran)[0]?._meta ?? {});
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    const again = metas.find((meta) => meta["doorless/replayed"] === true);
    const first = metas.find((meta) => meta !== again)?.["doorless/call_id"];
    expect(again).toMatchObject({ "doorless/first_call_id": first });
    const call = String(again?.["doorless/call_id"]);
    const found = jsonLines<Json>(await run("audit", "query", "--call", call, "--json"));
    expect(found).toMatchObject([{ outcome: "ok", effect: "none", replay_of: first }]);
  },
);

verifies("revocation.durable", "a lock outlives the process", async () => {
  await run("lock", "add", "tool:crm_get_deal", "--reason", "audit");
  await house.stopCore();
  const log = createLogger("silent");
  const options = { port: 0, data: house.data, log, onFatal: () => undefined };
  const starting = startDemo(options);
  // A second one at the same moment finds it owned, before either has written anything.
  await expect(startDemo(options)).rejects.toThrow("another doorless owns");
  const again = await starting;
  try {
    const served = readFileSync(join(house.data, "mcp.config.json"), "utf8");
    expect(served).toContain(new URL(again.ready.mcp["sales"] ?? "").origin);
    const mia = await again.world.mintToken("mia", "sales", 600);
    const client = await connectHttp("v2 pinned", again.ready.mcp["sales"] ?? "", mia);
    expect(await client.names()).not.toContain("crm_get_deal");
    const { error } = await client.call("crm_get_deal", { id: 42 });
    expect(error).toMatchObject({ code: "locked", details: { scope: "tool" } });
    await client.close();
  } finally {
    await again.stop();
  }
});
