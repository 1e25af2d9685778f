// The levers of `demo set`, pulled from outside, and `demo token`, by what an agent sees of them.
import { afterAll, beforeAll, expect } from "vitest";
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

verifies("demo.levers", "contract:2 changes the API's answers, contract:1 back", async () => {
  const client = await connect();
  const customer = async (): Promise<string> => {
    const { isError, error } = await client.call("crm_get_customer", { id: 1 });
    return isError ? String(error?.["code"]) : "ok";
  };
  expect(await customer()).toBe("ok");
  await pull("contract:2");
  // A customer's name has another name there; a deal is what it was.
  expect(await customer()).toBe("contract_drift");
  expect(await read(client)).toBe("ok");
  const changed = await (await fetch(`${house.ready.api}/openapi.json`)).text();
  await pull("contract:1");
  expect(await customer()).toBe("ok");
  expect(await (await fetch(`${house.ready.api}/openapi.json`)).text()).not.toBe(changed);
  await client.close();
});

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
