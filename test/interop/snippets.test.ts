// Everything that the demo prints to be pasted: it parses, and as it stands it connects.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { demoText, snippets } from "../../src/cli/demo-text.ts";
import { openHouse } from "../setup/house.ts";
import type { House } from "../setup/house.ts";
import { verifies } from "../verifies.ts";
import { connectStdio, plainEnvironment, ROOT } from "./clients.ts";
import type { Json } from "./clients.ts";
import { connectSigningIn, IdeSignIn, signInAs } from "./picker.ts";
import { freePort } from "../../src/cli/demo-world.ts";
import { PAIRS_TO_SHOW, surfaceOf } from "./tables.ts";

const DANA = surfaceOf({ person: "dana", agent: "support" });

let house: House;
const home = mkdtempSync(join(tmpdir(), "doorless-inspector-"));

beforeAll(async () => {
  house = await openHouse();
});

afterAll(async () => {
  await house.close();
  rmSync(home, { recursive: true, force: true });
});

function textFor(client: string): string {
  const snippet = snippets(house.ready).find((one) => one.client === client);
  if (snippet === undefined) throw new Error(`no snippet for ${client}`);
  return snippet.text;
}

function jsonFor(client: string): Json {
  return JSON.parse(textFor(client)) as Json;
}

/** The one server in a map of servers, as its client would read it. */
function only(servers: unknown): Json {
  const all = Object.values(servers as Record<string, Json>);
  expect(all).toHaveLength(1);
  return all[0] ?? {};
}

verifies("demo.snippets", "each snippet is on the page, and none holds a token", () => {
  const page = demoText(house);
  const all = snippets(house.ready);
  expect(all.map(({ client }) => client)).toEqual([
    "Claude Desktop",
    "Claude Code",
    "VS Code",
    "Cursor",
    "MCP Inspector",
  ]);
  for (const { text } of all) expect(page).toContain(text);
  // A JWT begins so, whatever it says.
  expect(page).not.toMatch(/eyJ[\w-]{10}/);
});

verifies("revocation.stated", "the demo's page says how revocation shows, and how late", () => {
  const said = "demo: asked by introspection, at most 2000 ms; pushed by back-channel logout and";
  expect(demoText(house)).toContain(`revocation at       ${said} shared signals\n`);
});

verifies("demo.snippets", "Claude Desktop's starts a bridge, as Dana", async () => {
  const server = only(jsonFor("Claude Desktop")["mcpServers"]);
  const { command, args } = server as { command: string; args: string[] };
  expect(Object.keys(server).toSorted()).toEqual(["args", "command"]);
  // Nothing of this shell is there where Claude Desktop starts it, not even a current Node.
  const client = await connectStdio("v1", { command, args, env: { PATH: "/usr/bin:/bin" } });
  expect(await client.names()).toEqual(DANA);
  const found = await client.call("tickets_search", { limit: 1 });
  expect(found.isError).toBe(false);
  await client.close();
});

/** The URL in a snippet, by its client's own rules. */
const HTTP_CLIENTS: Readonly<Record<string, () => unknown>> = {
  "Claude Code": () => {
    // claude mcp add --transport http NAME URL
    const words = textFor("Claude Code").split(" ");
    expect(words.slice(0, 5)).toEqual(["claude", "mcp", "add", "--transport", "http"]);
    expect(words[5]).toMatch(/^[A-Za-z0-9_-]+$/);
    expect(words).toHaveLength(7);
    return words[6];
  },
  "VS Code": () => {
    const server = only(jsonFor("VS Code")["servers"]);
    expect(server["type"]).toBe("http");
    return server["url"];
  },
  Cursor: () => only(jsonFor("Cursor")["mcpServers"])["url"],
};

for (const [client, urlIn] of Object.entries(HTTP_CLIENTS)) {
  verifies(
    ["demo.snippets", "demo.identity-provider"],
    `${client}'s connects, signing in without anything set up before`,
    async () => {
      const ide = new IdeSignIn();
      const connected = await connectSigningIn(String(urlIn()), "dana", ide);
      expect(connected.version).toBe("2026-07-28");
      expect(await connected.names()).toEqual(DANA);
      const reply = await connected.call("crm_get_customer", { id: 1 });
      expect(reply).toMatchObject({ isError: false, value: { id: 1 } });
      await connected.close();
      // What made it so: registration, PKCE, and the agent as the resource.
      const asked = ide.opened[0]?.searchParams;
      expect(asked?.get("code_challenge_method")).toBe("S256");
      expect(asked?.get("resource")).toBe(house.ready.mcp["support"]);
      expect(asked?.get("client_id")).toBe(ide.clientInformation()?.client_id);
    },
  );
}

verifies("demo.identity-provider", "whom one picks is who one is", async () => {
  const zoe = await connectSigningIn(house.ready.mcp["support"] ?? "", "zoe");
  const { value } = await zoe.call("crm_search_customers", { limit: 50 });
  await zoe.close();
  const ids = (value["customers"] as Json[]).map(({ id }) => Number(id));
  expect(Math.min(...ids)).toBeGreaterThan(100);
  const olga = await connectSigningIn(house.ready.mcp["sales"] ?? "", "olga");
  expect(await olga.names()).toEqual([]);
  await olga.close();
});

interface InspectorRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The Inspector leaves what it remembers in `home`, and asks for its callback at a free port. */
async function inspector(
  shell: string,
  callback: string,
  onLink?: (link: URL) => Promise<unknown>,
): Promise<InspectorRun> {
  const env = plainEnvironment({
    PATH: `${join(ROOT, "node_modules", ".bin")}:${process.env["PATH"] ?? ""}`,
    HOME: home,
    XDG_CONFIG_HOME: home,
    MCP_STORAGE_DIR: home,
    MCP_OAUTH_CALLBACK_URL: callback,
    npm_config_offline: "true",
    npm_config_update_notifier: "false",
  });
  const child = spawn("/bin/sh", ["-c", shell], {
    cwd: ROOT,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { stdout: "", stderr: "" };
  let signIn: Promise<unknown> | undefined;
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      said[stream] += text;
      const [, link] = /navigate to:\s*(http\S+)\s/.exec(said[stream]) ?? [];
      if (link !== undefined) signIn ??= onLink?.(new URL(link));
    });
  }
  const [code] = (await once(child, "close")) as [number | null];
  await signIn;
  return { code, ...said };
}

function toolNames(stdout: string): string[] {
  // With --format json the whole answer, without it the result alone.
  const answer = JSON.parse(stdout) as { result?: Json } & Json;
  const { tools } = (answer.result ?? answer) as { tools: { name: string }[] };
  return tools.map(({ name }) => name);
}

verifies(
  ["demo.snippets", "mcp.clients-agree"],
  "the Inspector's line, run by a shell, signs in as Dana and shows her tools",
  async () => {
    const callback = `http://127.0.0.1:${await freePort()}/oauth/callback`;
    const links: URL[] = [];
    const ran = await inspector(textFor("MCP Inspector"), callback, async (link) => {
      links.push(link);
      // This browser goes all the way: the Inspector itself is called back.
      const end = await signInAs("dana", link, () => false);
      expect(end.href).toContain(callback);
    });
    expect({ code: ran.code, links: links.length, stderr: ran.stderr }).toMatchObject({
      code: 0,
      links: 1,
    });
    const json = ran.stdout.slice(ran.stdout.indexOf("{"));
    expect(toolNames(json)).toEqual(DANA);
    expect(readdirSync(home)).not.toEqual([]);
    // The next run needs no browser: what it was given works for a call too.
    const call = textFor("MCP Inspector").replace(
      "--method tools/list",
      "--method tools/call --tool-name crm_get_customer --tool-arg id=1 --stored-auth-only",
    );
    const called = await inspector(`${call} --format json`, callback);
    expect(called).toMatchObject({ code: 0, stdout: expect.stringContaining('"id":1') });
  },
  { timeout_ms: 60_000 },
);

verifies(
  ["mcp.clients-agree", "surface.tables"],
  "the Inspector sees of each session what every other client sees, in both eras",
  async () => {
    const callback = `http://127.0.0.1:${await freePort()}/oauth/callback`;
    for (const pair of PAIRS_TO_SHOW) {
      const token = await house.token(pair.person, pair.agent);
      const url = house.ready.mcp[pair.agent] ?? "";
      const seen = async (era: string) => {
        const words = `mcp-inspector --cli ${url} --transport http --method tools/list`;
        const more = `--format json -q --protocol-era ${era}`;
        const ran = await inspector(
          `${words} ${more} --header 'Authorization: Bearer ${token}'`,
          callback,
        );
        expect(ran).toMatchObject({ code: 0 });
        return toolNames(ran.stdout);
      };
      const both = await Promise.all(["legacy", "modern"].map(seen));
      expect({ ...pair, both }).toEqual({ ...pair, both: [surfaceOf(pair), surfaceOf(pair)] });
    }
  },
  { timeout_ms: 60_000 },
);
