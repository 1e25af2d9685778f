// A configuration file for a core that runs in a process of its own, before a world elsewhere.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { World } from "../../demo/world.ts";

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const AGENTS = ["support", "sales", "research"] as const;
export const BOUNDARY = { client_id: "doorless", client_secret: "the-secret-of-tests-alone" };

export const MAIL_CLIENT = { client_id: "doorless-at-mail", client_secret: "another-of-tests" };

/** A rate that no test reaches. */
const FREE = { calls: 1_000_000, per_s: 1, burst: 1_000_000 };

/** Limits that no test reaches. */
export const UNREACHED = {
  requests_per_user: FREE,
  calls_per_user: FREE,
  calls_per_session: FREE,
  calls_per_user_and_tool: FREE,
  calls_per_tenant: FREE,
  calls_per_tool: FREE,
  calls_per_client: FREE,
  destructive_calls_per_user: FREE,
  budget_per_user: { calls: 1_000_000_000, bytes: 2 ** 50, cost: 1_000_000_000 },
  loops: { same_calls_max: 1_000_000, same_errors_max: 1_000_000 },
};

export interface CoreConfigOptions {
  /** The core's data folder; the file is written beside what it keeps there. */
  readonly data: string;
  readonly name?: string;
  readonly port: number;
  readonly world: Pick<World, "issuer" | "api" | "mail_accounts">;
  /** Dialled instead of the SaaS itself: a proxy that stands before it. */
  readonly api_origin?: string;
  /** False: the file does not say that the provider is the demo's, so that `start` takes it. */
  readonly demo?: boolean;
  readonly reuse_ms_max?: number;
  readonly segment_bytes_max?: number;
  /** Instead of limits that nobody reaches. */
  readonly limits?: Json;
  /** Instead of the example's, by which the provider is asked, and has two seconds to answer. */
  readonly liveness?: Json;
  /** Without it no code runs, and no probe at each start. */
  readonly isolation?: Json;
}

type Json = Record<string, unknown>;

/** The example at the root with this run's addresses, and limits that nobody reaches. */
export function writeCoreConfig(options: CoreConfigOptions): string {
  const { data, port, world } = options;
  const config = JSON.parse(readFileSync(join(ROOT, "mcp.config.json"), "utf8")) as Json;
  const issuers = config["issuers"] as Record<string, Json>;
  const liveness = options.liveness ?? issuers["demo"]?.["liveness"];
  const issuer = { ...issuers["demo"], issuer: world.issuer, liveness };
  const client = { client_id: BOUNDARY.client_id, client_secret: "file:keys/client_secret" };
  if (options.demo === false) Reflect.deleteProperty(issuer, "demo");
  const file = join(data, options.name ?? "mcp.config.json");
  const { $schema: _, ...rest } = config;
  const out = {
    ...rest,
    public_url: `http://127.0.0.1:${port}`,
    listen: { host: "127.0.0.1", port },
    data: ".",
    tools: join(ROOT, "tools"),
    issuers: { demo: { ...issuer, client } },
    connectors: connectorsAt(config["connectors"] as Record<string, Json>, options),
    isolation: options.isolation ?? {},
    limits: options.limits ?? UNREACHED,
    delegation: { reuse_ms_max: options.reuse_ms_max ?? 2000 },
    ledger:
      options.segment_bytes_max === undefined
        ? {}
        : { segment_bytes_max: options.segment_bytes_max },
  };
  mkdirSync(join(data, "keys"), { recursive: true, mode: 0o700 });
  writeFileSync(join(data, "keys", "client_secret"), BOUNDARY.client_secret, { mode: 0o600 });
  const mail_secret = join(data, "keys", "mail_client_secret");
  writeFileSync(mail_secret, MAIL_CLIENT.client_secret, { mode: 0o600 });
  writeFileSync(file, JSON.stringify(out, null, 2), { mode: 0o600 });
  return file;
}

function connectorsAt(connectors: Record<string, Json>, options: CoreConfigOptions): Json {
  const { world, api_origin = world.api } = options;
  const placed = Object.entries(connectors).map(([name, connector]) => {
    const before = connector["delegation"] as Json;
    const resource = `${world.api}/${name}`;
    const client = { ...MAIL_CLIENT, client_secret: "file:keys/mail_client_secret" };
    const mail = { ...before, authorization_server: world.mail_accounts, client, resource };
    const delegation = before["kind"] === "exchange" ? { kind: "exchange", resource } : mail;
    return [name, { ...connector, origin: api_origin, delegation }];
  });
  return Object.fromEntries(placed) as Json;
}

/** The URL of each agent: the audience of its tokens. */
export function agentUrls(port: number): Record<string, string> {
  return Object.fromEntries(AGENTS.map((name) => [name, `http://127.0.0.1:${port}/mcp/${name}`]));
}
