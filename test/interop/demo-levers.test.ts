// The levers of `demo set`, pulled from outside, and `demo token`, by what an agent sees of them.
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, vi } from "vitest";
import { decodeJwt } from "jose";
import { openHouse } from "../setup/house.ts";
import type { House } from "../setup/house.ts";
import { verifies } from "../verifies.ts";
import { connectHttp } from "./clients.ts";
import type { McpClient } from "./clients.ts";
import { doorless, jsonLines } from "./command.ts";

let house: House;

beforeAll(async () => {
  house = await openHouse();
});

afterAll(() => house.close());

async function pull(lever: string): Promise<void> {
  const ran = await doorless(["demo", "set", lever, "--data", house.data]);
  expect(ran).toEqual({ code: 0, stdout: "", stderr: "" });
}

async function connect(): Promise<McpClient> {
  const token = await house.token("mia", "sales");
  return connectHttp("v2 pinned", house.ready.mcp["sales"] ?? "", token);
}

/** How a read of Mia's own deal ends: "ok", or its error code. */
async function read(client: McpClient): Promise<string> {
  const { error, isError } = await client.call("crm_get_deal", { id: 42 });
  return isError ? String(error?.["code"]) : "ok";
}

verifies("demo.levers", "api:down and api:up take the SaaS away and bring it back", async () => {
  const client = await connect();
  expect(await read(client)).toBe("ok");
  await pull("api:down");
  expect(await read(client)).toBe("downstream_unavailable");
  await expect(fetch(`${house.ready.api}/audit`)).rejects.toThrow();
  await pull("api:up");
  expect(await read(client)).toBe("ok");
  await client.close();
});

/** What `contracts check` says of the running demo's tools. */
async function checked(tool: string) {
  const ran = await doorless(["contracts", "check", tool, "--json", "--data", house.data]);
  const [said] = jsonLines<{ ok: boolean; tools: { findings: { rule: string }[] }[] }>(ran);
  return { code: ran.code, rules: said?.tools.flatMap((one) => one.findings.map((f) => f.rule)) };
}

/** Waits until the list has, or has not, this tool; the stated time is one interval and a look. */
async function listed(client: McpClient, tool: string, there: boolean): Promise<void> {
  const look = async () => expect((await client.names()).includes(tool)).toBe(there);
  await vi.waitFor(look, { timeout: 30_000, interval: 200 });
}

verifies(
  ["demo.levers", "contract.live"],
  "contract:2 takes the broken tool off the list, and no other; contract:1 brings it back",
  async () => {
    const client = await connect();
    const before = await client.names();
    expect((await client.call("crm_get_customer", { id: 1 })).isError).toBe(false);
    await pull("contract:2");
    await listed(client, "crm_get_customer", false);
    const requests = (await (await fetch(`${house.ready.api}/audit`)).json()) as unknown[];
    const { isError, error } = await client.call("crm_get_customer", { id: 1 });
    expect(isError).toBe(true);
    expect(error).toMatchObject({ code: "contract_drift", effect: "none", retry: "never" });
    // A customer's name has another name there; a deal is what it was.
    expect(error?.["details"]).toMatchObject({
      severity: "break",
      rules: [{ id: "response-required-property-removed", pointer: "/200/body/name" }],
    });
    expect(await (await fetch(`${house.ready.api}/audit`)).json()).toHaveLength(requests.length);
    expect(await read(client)).toBe("ok");
    expect(house.logged()).toContain("response-required-property-removed");
    expect(await checked("crm_get_deal")).toEqual({ code: 0, rules: [] });
    const broken = await checked("crm_get_customer");
    expect(broken).toMatchObject({
      code: 1,
      rules: expect.arrayContaining(["response-required-property-removed"]),
    });
    await pull("contract:1");
    await listed(client, "crm_get_customer", true);
    expect(await client.names()).toEqual(before);
    await client.close();
  },
  { timeout_ms: 120_000 },
);

verifies(
  "contract.verbs",
  "contracts update pins what is there now, accept covers one change; neither approves",
  async () => {
    const tools = mkdtempSync(join(tmpdir(), "doorless-contracts-"));
    cpSync("tools", tools, { recursive: true });
    const at = ["--json", "--tools", tools, "--data", house.data];
    const run = (...words: string[]) => doorless(["contracts", ...words, ...at]);
    await pull("contract:2");
    try {
      const check = await run("check");
      const [found] = jsonLines<{ tools: { tool: string; findings: { fingerprint: string }[] }[] }>(
        check,
      );
      expect(check.code).toBe(1);
      const stage = found?.tools.find(({ tool }) => tool === "crm_update_deal_stage");
      const prints = stage?.findings.map(({ fingerprint }) => fingerprint) ?? [];
      expect(prints).not.toEqual([]);
      expect(await run("accept", ...prints)).toMatchObject({ code: 0 });
      expect(await run("accept", "000000000000")).toMatchObject({ code: 1, stdout: "" });
      expect(await run("update", "crm_get_customer")).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('"updated":["crm_get_customer"]'),
      });
      expect(await run("check", "crm_get_customer", "crm_update_deal_stage")).toMatchObject({
        code: 0,
      });
      const verified = await doorless(["tools", "verify", ...at]);
      expect(verified).toMatchObject({
        code: 1,
        stdout: expect.stringMatching(/"tool":"crm_get_customer","kind":"contract"/),
      });
    } finally {
      await pull("contract:1");
      rmSync(tools, { recursive: true });
    }
  },
  { timeout_ms: 120_000 },
);

verifies(
  "demo.levers",
  "revoke:PERSON ends that person's sign-ins, and nobody else's",
  async () => {
    const mia = await connect();
    const url = house.ready.mcp["sales"] ?? "";
    const omar = await connectHttp("v1", url, await house.token("omar", "sales"));
    await pull("revoke:mia");
    // The provider has pushed it by the time the lever is back: her token is nobody's.
    const write = mia.call("crm_update_deal_stage", { id: 42, stage: "won" });
    await expect(write).rejects.toThrow(/invalid_token.*revoked/);
    expect((await omar.call("crm_get_deal", { id: 42 })).isError).toBe(false);
    const refused = await doorless(["demo", "token", "mia", "sales", "--data", house.data]);
    expect(refused).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringMatching(/disabled/),
    });
    await pull("restore:mia");
    const again = await connect();
    expect(await read(again)).toBe("ok");
    await Promise.all([mia.close(), omar.close(), again.close()]);
  },
);

verifies(
  "demo.levers",
  "idp:down and idp:up take the provider away and bring it back",
  async () => {
    const client = await connect();
    await pull("idp:down");
    // Within two seconds her token is still vouched for, and only a downstream one cannot be had.
    const ended = await read(client).catch((error: unknown) => String(error));
    expect(ended).toMatch(/^delegation_unavailable$|identity_unavailable/);
    await expect(fetch(house.ready.issuer)).rejects.toThrow();
    await pull("idp:up");
    expect(await read(client)).toBe("ok");
    await client.close();
  },
);

verifies(
  "demo.levers",
  "a lever that there is not is refused with those that there are",
  async () => {
    for (const lever of ["revoke:nobody", "contract:3", "api"]) {
      const ran = await doorless(["demo", "set", lever, "--data", house.data]);
      expect({ lever, ...ran }).toMatchObject({ lever, code: 2, stdout: "" });
      expect(ran.stderr).toMatch(lever.startsWith("revoke") ? /dana, mia/ : /api:down, api:up/);
    }
    const data = ["--data", house.data];
    expect((await doorless(["demo", "set", ...data])).code).toBe(2);
    expect((await doorless(["demo", "set", "", ...data])).code).toBe(2);
  },
);

verifies("demo.token", "demo token prints a token that works, for as long as it says", async () => {
  const at = ["--data", house.data];
  const plain = await doorless(["demo", "token", "mia", "sales", ...at]);
  expect(plain).toMatchObject({ code: 0, stderr: "" });
  const json = await doorless(["demo", "token", "mia", "sales", "--ttl", "60", "--json", ...at]);
  const [answer] = jsonLines<{ token: string }>(json);
  const longest = await doorless(["demo", "token", "mia", "sales", "--ttl", "28800", ...at]);
  const lives_s = [3600, 60, 28_800];
  const tokens = [plain.stdout.trim(), answer?.token ?? "", longest.stdout.trim()];
  for (const [i, token] of tokens.entries()) {
    const { sub, aud, iat = 0, exp = 0 } = decodeJwt(token);
    const aim = { sub: "mia", aud: house.ready.mcp["sales"], lives_s: lives_s[i] };
    expect({ sub, aud, lives_s: exp - iat }).toEqual(aim);
    const client = await connectHttp("v1", house.ready.mcp["sales"] ?? "", token);
    expect(await client.names()).toContain("crm_get_deal");
    await client.close();
  }
});

verifies(
  ["demo.token", "cli.exit-codes"],
  "demo token refuses people, agents and times that there are not, with exit code 2",
  async () => {
    const wrong = [
      { args: ["nobody", "sales"], says: /No person "nobody".*dana, mia/ },
      { args: ["mia", "nowhere"], says: /No agent "nowhere".*support, sales/ },
      { args: ["mia", "sales", "--ttl", "0"], says: /--ttl is a whole number from 1 to 28800/ },
      { args: ["mia", "sales", "--ttl", "28801"], says: /--ttl/ },
      { args: ["mia"], says: /AGENT is missing/ },
    ];
    for (const { args, says } of wrong) {
      const ran = await doorless(["demo", "token", ...args, "--data", house.data]);
      expect({ args, ...ran }).toMatchObject({ args, code: 2, stdout: "" });
      expect(ran.stderr).toMatch(says);
    }
  },
);
