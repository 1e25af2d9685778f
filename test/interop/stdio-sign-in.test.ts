// Signing in for stdio: nobody is, somebody is, several clients at once, and nobody is again.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { openHouse } from "../setup/house.ts";
import type { House } from "../setup/house.ts";
import { Visitor } from "../../src/cli/prove-visitor.ts";
import { verifies } from "../verifies.ts";
import { bridgeTo, connectStdio, LAUNCHER, NODE_FLAGS, plainEnvironment } from "./clients.ts";
import type { ClientKind, StdioCommand } from "./clients.ts";
import { doorless, jsonLines } from "./command.ts";
import { surfaceOf } from "./tables.ts";

const KINDS: readonly ClientKind[] = ["v1", "v2 pinned"];
const SALES = surfaceOf({ person: "mia", agent: "sales" });

let house: House;
let home: string;
let at: readonly string[];

beforeAll(async () => {
  house = await openHouse();
  home = mkdtempSync(join(tmpdir(), "doorless-home-"));
  at = ["--data", house.data];
});

afterEach(() => doorless(["logout"], { env: { DOORLESS_HOME: home } }));

afterAll(async () => {
  await house.close();
  rmSync(home, { recursive: true, force: true });
});

const run = (...args: string[]) => doorless(args, { env: { DOORLESS_HOME: home } });

/** Runs `login`; `walk` is the person who reads what it says. */
function login(args: readonly string[], walk: (said: string) => Promise<void>) {
  return walked(["login", ...args], walk);
}

async function walked(words: readonly string[], walk: (said: string) => Promise<void>) {
  const env = plainEnvironment({ DOORLESS_HOME: home });
  const child = spawn(process.execPath, [...NODE_FLAGS, LAUNCHER, ...words], { env });
  let stdout = "";
  let stderr = "";
  const said = Promise.withResolvers<string>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    if (/http\S+\n(?!and)/.test(stderr)) said.resolve(stderr);
  });
  const ended = once(child, "close") as Promise<[number | null]>;
  await Promise.race([said.promise.then(walk), ended]);
  const [code] = await ended;
  return { code, stdout, stderr };
}

async function signedIn(person = "mia"): Promise<void> {
  const { code } = await login([...at, "--no-browser"], async (said) => {
    await new Visitor().signIn(/http\S+/.exec(said)?.[0] ?? "", person);
  });
  expect(code).toBe(0);
}

/** As an IDE starts it: no token, nothing but the person's own folder. */
function ide(agent = "sales"): StdioCommand {
  const { command, args } = bridgeTo(agent, house.data);
  return { command, args, env: plainEnvironment({ DOORLESS_HOME: home }) };
}

async function toolsOf(kind: ClientKind): Promise<string[]> {
  const client = await connectStdio(kind, ide());
  try {
    return await client.names();
  } finally {
    await client.close();
  }
}

verifies(
  "sign-in.nobody",
  "who is not signed in has no tools, and each call says how to sign in; no browser is started",
  async () => {
    for (const kind of KINDS) {
      const client = await connectStdio(kind, ide());
      expect(await client.names()).toEqual([]);
      const { error, text } = await client.call("crm_get_deal", { id: 42 });
      expect(error).toMatchObject({ code: "login_required", retry: "after_user_action" });
      expect(text).toContain(`doorless login --data ${house.data}`);
      await client.close();
    }
    expect((await run("whoami")).code).toBe(3);
    const call = ["call", "crm_get_deal", '{"id":42}', "--agent", "sales", ...at];
    expect(await run(...call)).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/doorless login/),
    });
  },
  { timeout_ms: 120_000 },
);

verifies(
  "sign-in.login",
  "a new user signs in and restarts the client, or hears of it in one that runs; so at the end",
  async () => {
    const open = await Promise.all(KINDS.map((kind) => connectStdio(kind, ide(), true)));
    for (const client of open) expect(await client.names()).toEqual([]);
    await signedIn();
    for (const client of open) {
      await client.changed();
      expect(await client.names()).toEqual(SALES);
      const deal = await client.call("crm_get_deal", { id: 42 });
      expect(deal.value).toMatchObject({ owner: "mia" });
    }
    expect(await toolsOf("v1")).toEqual(SALES);
    const [who] = jsonLines<Record<string, unknown>>(await run("whoami", "--json"));
    expect(who).toMatchObject({
      subject: "mia",
      name: "Mia Lindqvist",
      issuer: house.ready.issuer,
    });
    // Another person at the same machine: the same clients are hers now.
    await signedIn("omar");
    for (const client of open) {
      await client.changed();
      expect(await client.call("crm_search_deals", {})).toMatchObject({ isError: false });
      const seen = (await (await fetch(`${house.ready.api}/audit`)).json()) as unknown[];
      expect(seen.at(-1)).toMatchObject({ subject: "omar" });
    }
    expect((await run("logout")).stdout).toBe("signed out (1)\n");
    for (const client of open) {
      await client.changed();
      expect(await client.names()).toEqual([]);
      const refused = await client.call("crm_get_deal", { id: 42 });
      expect(refused.error?.["code"]).toBe("login_required");
      await client.close();
    }
    expect(await toolsOf("v2 pinned")).toEqual([]);
  },
  { timeout_ms: 120_000 },
);

verifies(
  "sign-in.nobody",
  "who is signed in for other agents is told so, whether there is such an agent or not",
  async () => {
    const { code } = await login(["support", ...at, "--no-browser"], async (said) => {
      await new Visitor().signIn(/http\S+/.exec(said)?.[0] ?? "", "mia");
    });
    expect(code).toBe(0);
    const said = async (agent: string): Promise<string> => {
      const { stderr } = await run("stdio", agent, ...at);
      return stderr.replaceAll(agent, "AGENT");
    };
    expect(await said("nosuch")).toMatch(/^you are signed in, but not for an agent AGENT; if /);
    expect(await said("nosuch")).toBe(await said("sales"));
    const call = await run("call", "crm_get_deal", "{}", "--agent", "nosuch", ...at);
    expect(call).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/not for an agent nosuch/),
    });
    // She may sign in for it, and it has no door for her: an empty list, and nothing said.
    const client = await connectStdio("v1", ide("support"));
    expect(await client.names()).toEqual([]);
    await client.close();
  },
  { timeout_ms: 120_000 },
);

verifies(
  "sign-in.device",
  "on another device: a code to type there, and the same sign-in",
  async () => {
    const { code } = await login([...at, "--device"], async (said) => {
      const visitor = new Visitor();
      const [, user_code = ""] = /enter the code\s+(\S+)/.exec(said) ?? [];
      const complete = /or open (\S+)/.exec(said)?.[1] ?? "";
      expect(complete).toContain(user_code);
      await visitor.go(complete);
      // The code is sent, then confirmed.
      await visitor.submit();
      expect(visitor.page.html).toContain("Is this your device?");
      await visitor.submit();
      await visitor.press("person", "omar");
    });
    expect(code).toBe(0);
    expect(jsonLines(await run("whoami", "--json"))).toMatchObject([{ subject: "omar" }]);
  },
);

verifies(
  "sign-in.stored",
  "what is stored is encrypted, private, and refused when it was changed",
  async () => {
    await signedIn();
    const file = join(home, "sign-ins.json");
    for (const one of [file, join(home, "keys", "sign-in.key")]) {
      expect(statSync(one).mode & 0o777).toBe(0o600);
    }
    const text = readFileSync(file, "utf8");
    // With a quote each, which base64url has not: what is encrypted may hold any three letters.
    expect(text).not.toMatch(/"mia|"eyJ|"sales/);
    writeFileSync(file, text.replace(/"sealed":"..../, '"sealed":"AAAA'));
    expect(await run("whoami")).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/was changed/),
    });
    writeFileSync(file, text);
    expect((await run("whoami")).code).toBe(0);
  },
);

verifies(
  "sign-in.shared",
  "many clients that refresh at once share one sign-in, and none of them loses it",
  async () => {
    await signedIn("omar");
    // Three agents, two processes each: all but one token must be fetched by refreshing, and the
    // provider ends a sign-in whose refresh token comes twice.
    const asks = [
      ["crm_search_deals", "sales"],
      ["crm_search_deals", "research"],
      ["crm_search_deals", "sales"],
      ["crm_search_deals", "research"],
    ] as const;
    const ran = await Promise.all(
      asks.map(([tool, agent]) => run("call", tool, "{}", "--agent", agent, ...at)),
    );
    for (const { code, stderr } of ran) expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(jsonLines(await run("whoami", "--json"))).toHaveLength(1);
    expect(readdirSync(home).toSorted()).toEqual(["keys", "lock", "sign-ins.json"]);
  },
  { timeout_ms: 120_000 },
);

verifies("sign-in.login", "a sign-in that the provider has ended is no sign-in", async () => {
  await signedIn();
  await house.world.set("revoke:mia");
  try {
    const client = await connectStdio("v2 pinned", ide("research"));
    expect(await client.names()).toEqual([]);
    await client.close();
  } finally {
    await house.world.set("restore:mia");
  }
  expect((await run("whoami")).code).toBe(3);
});

verifies(
  "sign-in.login",
  "login says which agents there are, and who cannot be asked",
  async () => {
    expect(await run("login", "nosuch", ...at)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/no agent "nosuch"; there are: support, sales, research\n/),
    });
    const away = ["login", "--remote", "http://127.0.0.1:1/mcp/sales"];
    expect((await run(...away)).code).toBe(4);
  },
);

verifies(
  "sign-in.stays-here",
  "a folder that names a doorless elsewhere gets no token",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "doorless-project-"));
    try {
      const core = { url: "http://203.0.113.7:8484", socket: "nowhere", config: house.data };
      writeFileSync(join(folder, "core.json"), JSON.stringify({ ...core, config: undefined }));
      const env = { DOORLESS_HOME: home, DOORLESS_TOKEN: await house.token("mia", "sales") };
      const call = ["call", "crm_get_deal", '{"id":42}', "--agent", "sales", "--data", folder];
      expect(await doorless(call, { env })).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/not this machine/),
      });
      const bridged = await doorless(["stdio", "sales", "--data", folder], { env });
      expect(bridged.code).not.toBe(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

verifies(
  "sign-in.login",
  "at a doorless elsewhere: its own metadata says where, and the client registers itself",
  async () => {
    const url = house.ready.mcp["sales"] ?? "";
    const { code, stdout } = await login(["--remote", url, "--no-browser"], async (said) => {
      await new Visitor().signIn(/http\S+/.exec(said)?.[0] ?? "", "mia");
    });
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/for sales\n$/) });
    const { command, env } = ide();
    const args = [...NODE_FLAGS, LAUNCHER, "stdio", "sales", "--remote", url];
    const client = await connectStdio("v1", {
      command,
      args,
      ...(env === undefined ? {} : { env }),
    });
    expect(await client.names()).toEqual(SALES);
    await client.close();
  },
  { timeout_ms: 60_000 },
);

verifies(
  "upstream.discovery",
  "the importer signs in where the server says, and lists what she has there herself",
  async () => {
    const url = house.ready.mcp["sales"] ?? "";
    const drafts = join(home, "tools");
    const words = ["tools", "import", "mcp", url, "--connector", "other", "--tools", drafts];
    const wanted = ["--tool", "crm_get_deal", "--tool", "mail_send", "--json", "--no-browser"];
    const ran = await walked([...words, ...wanted], async (said) => {
      await new Visitor().signIn(/^ *(http\S+)$/m.exec(said)?.[1] ?? "", "mia");
    });
    expect(ran.code).toBe(0);
    expect(JSON.parse(ran.stdout)).toMatchObject({
      drafts: [{ name: "other_crm_get_deal" }, { name: "other_mail_send" }],
      connectors: {
        other: {
          mcp: { url },
          delegation: {
            kind: "connection",
            authorization_server: house.ready.issuer,
            client: { client_id: expect.stringMatching(/^[\w-]{8,}$/) },
            resource: url,
          },
        },
      },
    });
  },
  { timeout_ms: 60_000 },
);
