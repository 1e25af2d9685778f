// The demo's ticket, search and deal tools, unchanged, with each way to bind a token to an agent,
// and with people of two identity providers at once.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { createIdentityProvider } from "../../demo/idp/index.ts";
import type { IdentityProvider } from "../../demo/idp/index.ts";
import { listen } from "../../demo/listener.ts";
import { startWorld } from "../../demo/world.ts";
import type { World, WorldOptions } from "../../demo/world.ts";
import { freePort } from "../../src/cli/demo-world.ts";
import { loadConfig } from "../../src/config/load.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { startCore } from "../../src/main.ts";
import { createLogger } from "../../src/telemetry/log.ts";
import { agentUrls, BOUNDARY, MAIL_CLIENT, writeCoreConfig } from "../setup/core-config.ts";
import { verifies } from "../verifies.ts";
import { connectHttp } from "./clients.ts";
import type { Json } from "./clients.ts";

interface Opened {
  readonly world: World;
  readonly url: string;
  readonly close: () => Promise<void>;
}

interface Changes {
  readonly world?: Partial<WorldOptions>;
  /** Changes the configuration file before it is read. */
  readonly config: (file: Json, world: World) => Promise<void> | void;
}

async function open(url: string, changes: Changes): Promise<Opened> {
  const port = portOf(url);
  await using undo = new AsyncDisposableStack();
  const home = mkdtempSync(join(tmpdir(), "doorless-bindings-"));
  undo.defer(() => rmSync(home, { recursive: true, force: true }));
  const world = await startWorld({
    data: join(home, "world"),
    issuer_port: 0,
    api_port: 0,
    mail_accounts_port: 0,
    mail_client: MAIL_CLIENT,
    agents: agentUrls(port),
    boundary: BOUNDARY,
    ...changes.world,
  });
  undo.defer(() => world.stop());
  const file = writeCoreConfig({ data: join(home, "core"), port, world });
  const config = JSON.parse(readFileSync(file, "utf8")) as Json;
  await changes.config(config, world);
  writeFileSync(file, JSON.stringify(config));
  const core = await startCore({
    config: loadConfig(file, {}),
    clock: systemClock,
    log: createLogger("silent"),
    allow_demo: true,
    onFatal: () => undefined,
  });
  undo.defer(() => core.stop());
  const stack = undo.move();
  return { world, url, close: () => stack.disposeAsync() };
}

const newUrl = async (): Promise<string> => `http://127.0.0.1:${await freePort()}`;

/** Whoever the SaaS's own audit log says it was. */
async function subjectAt(world: World, call_id: unknown): Promise<unknown> {
  const rows = (await (await fetch(`${world.api}/audit`)).json()) as Json[];
  return rows.find((row) => row["request_id"] === call_id)?.["subject"];
}

type TokenFor = (person: string, agent: "support" | "sales") => Promise<string>;

/** A ticket, a search and a deal, as the person whose they are, in both eras. */
async function work({ world, url }: Opened, token: TokenFor): Promise<void> {
  const jobs = [
    ["dana", "support", "tickets_search", {}],
    ["dana", "support", "crm_search_customers", { limit: 5 }],
    ["mia", "sales", "crm_search_deals", {}],
    ["mia", "sales", "crm_update_deal_stage", { id: 42, stage: "won" }],
  ] as const;
  for (const kind of ["v1", "v2 pinned"] as const) {
    for (const [person, agent, tool, args] of jobs) {
      const client = await connectHttp(kind, `${url}/mcp/${agent}`, await token(person, agent));
      await client.list();
      const { isError, text, call_id } = await client.call(tool, args);
      expect({ tool, isError, text }).toMatchObject({ tool, isError: false });
      expect(await subjectAt(world, call_id)).toBe(person);
      await client.close();
    }
  }
}

function agentsOf(config: Json): Record<string, Json> {
  return config["agents"] as Record<string, Json>;
}

describe("a token is bound to its agent", () => {
  verifies("auth.bindings", "by an audience of its own", async () => {
    const opened = await open(await newUrl(), { config: () => undefined });
    await work(opened, (person, agent) => opened.world.mintToken(person, agent, 600));
    await opened.close();
  });

  verifies("auth.bindings", "by a shared audience and a scope", async () => {
    const url = await newUrl();
    const audience = `${url}/mcp`;
    const opened = await open(url, {
      world: { agents: { support: audience, sales: audience, research: audience } },
      config(file) {
        for (const [name, agent] of Object.entries(agentsOf(file))) {
          agent["tokens"] = { audience, scope: `agent.${name}` };
        }
      },
    });
    const token: TokenFor = (person, agent) =>
      opened.world.mintToken(person, agent, 600, { scope: `openid agent.${agent}` });
    await work(opened, token);
    // The scope of one agent is no way to another, though the audience is the same.
    const elsewhere = connectHttp("v1", `${url}/mcp/sales`, await token("mia", "support"));
    await expect(elsewhere).rejects.toThrow(/invalid_token|401/);
    await opened.close();
  });

  verifies("auth.bindings", "by a shared audience and the client", async () => {
    const url = await newUrl();
    const audience = `${url}/mcp`;
    const clients = new Map<string, string>();
    const opened = await open(url, {
      world: { agents: { support: audience, sales: audience, research: audience } },
      async config(file, { issuer }) {
        for (const [name, agent] of Object.entries(agentsOf(file))) {
          const client_id = await registered(issuer);
          clients.set(name, client_id);
          agent["tokens"] = { audience, clients: [client_id] };
        }
      },
    });
    const token: TokenFor = (person, agent) =>
      opened.world.mintToken(person, agent, 600, { client_id: clients.get(agent) ?? "" });
    await work(opened, token);
    const elsewhere = connectHttp("v1", `${url}/mcp/sales`, await token("mia", "support"));
    await expect(elsewhere).rejects.toThrow(/invalid_token|401/);
    await opened.close();
  });
});

/** A public client of the provider's, as an IDE registers itself. */
async function registered(issuer: string): Promise<string> {
  const response = await fetch(`${issuer}/reg`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ redirect_uris: ["http://127.0.0.1/callback"] }),
  });
  const { client_id } = (await response.json()) as { client_id: string };
  return client_id;
}

verifies(
  ["auth.issuers", "identity.as-the-user"],
  "two providers' people work at once",
  async () => {
    const url = await newUrl();
    const home = mkdtempSync(join(tmpdir(), "doorless-partner-"));
    const listener = await listen(0);
    let partner: IdentityProvider | undefined;
    const opened = await open(url, {
      world: { also_trusted: [listener.origin] },
      async config(file, { api }) {
        const places = { data: home, issuer: listener.origin, api, agents: agentUrls(portOf(url)) };
        partner = await createIdentityProvider({ ...places, boundary: BOUNDARY });
        listener.serve(partner.handler);
        const issuers = file["issuers"] as Record<string, Json>;
        const { events: _, ...demo } = issuers["demo"] ?? {};
        // Acme's people sign in at one, Globex's at the other.
        file["issuers"] = {
          demo: { ...demo, tenants: ["acme"] },
          partner: { ...demo, issuer: listener.origin, tenants: ["globex"] },
        };
      },
    });
    const dana = await opened.world.mintToken("dana", "support", 600);
    const zoe = (await partner?.mintToken("zoe", "support", 600)) ?? "";
    const clients = await Promise.all(
      [dana, zoe].map((token) => connectHttp("v2 pinned", `${url}/mcp/support`, token)),
    );
    for (const tool of ["tickets_search", "crm_search_customers"]) {
      const answers = await Promise.all(clients.map((client) => client.call(tool, { limit: 50 })));
      expect(answers.map(({ isError, text }) => [isError, text.length > 2])).toEqual([
        [false, true],
        [false, true],
      ]);
      const subjects = await Promise.all(
        answers.map(({ call_id }) => subjectAt(opened.world, call_id)),
      );
      expect(subjects).toEqual(["dana", "zoe"]);
      // Acme's records and Globex's: no line in common.
      expect(answers[0]?.text).not.toBe(answers[1]?.text);
    }
    await work(opened, (person, agent) => opened.world.mintToken(person, agent, 600));
    // A provider that speaks for a tenant which is not its own is not believed.
    const foreign = (await partner?.mintToken("dana", "support", 600)) ?? "";
    await expect(connectHttp("v1", `${url}/mcp/support`, foreign)).rejects.toThrow(/tenant|401/);
    await Promise.all(clients.map((client) => client.close()));
    await opened.close();
    await listener.down();
    partner?.close();
    rmSync(home, { recursive: true, force: true });
  },
);

function portOf(url: string): number {
  return Number(new URL(url).port);
}
