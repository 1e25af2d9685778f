// A doorless of its own, on temporary files, between a hostile provider and a hostile API.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../src/cli/demo-world.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/load.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { startCore } from "../../src/main.ts";
import type { Core } from "../../src/main.ts";
import { createLogger } from "../../src/telemetry/log.ts";
import { approveTools } from "./approved.ts";
import { CONNECTORS, toolFiles, WORKING } from "./boundary-tools.ts";
import type { ToolFileText } from "./boundary-tools.ts";
import { openApi } from "./hostile-peer.ts";
import type { HostileApi } from "./hostile-peer.ts";
import { defined, nowS, openProvider } from "./hostile-provider.ts";
import type { Claims, HostileProvider } from "./hostile-provider.ts";

export interface Boundary {
  readonly url: string;
  readonly data: string;
  readonly provider: HostileProvider;
  readonly api: HostileApi;
  /** Honest claims of Ada for an agent, with changes; `undefined` takes a claim away. */
  claims(agent: string, changes?: Claims): Claims;
  token(agent: string, changes?: Claims): Promise<string>;
  /** Every line of the ledger that is on disk now, read synchronously. */
  ledger(): Claims[];
  /** Everything that was logged so far. */
  logged(): string;
  /** Lets time pass for whatever measures it with the core's monotonic clock. */
  pass(ms: number): void;
  /** Stops the core in order, and starts it anew on the same files. */
  restart(): Promise<void>;
  /** Writes the configuration anew, changed, and has it taken while it is served. */
  reconfigure(change: (file: Claims) => Claims): Promise<boolean>;
  /** What the core called fatal. */
  readonly fatal: unknown[];
  close(): Promise<void>;
}

export interface BoundaryOptions {
  /** Where its files are put, in a folder of their own; without it, among the temporary ones. */
  readonly place?: string;
  /** Merged over the configuration file, one level deep. */
  readonly file?: Claims;
  /** Merged over the one issuer. */
  readonly issuer?: Claims;
  /** Issuers beside the one. */
  readonly more_issuers?: Claims;
  /** More variables that the file may refer to. */
  readonly environment?: Record<string, string>;
  /** Changes the loaded configuration, beyond what a file may say. */
  readonly bend?: (config: Config) => Config;
  /** Code tools of the connector `shop`, by name: each agent has them. */
  readonly code?: Readonly<Record<string, string>>;
  /** Other tools and agents than the hostile world's; everybody of the staff has all of them. */
  readonly world?: World;
  /** The section of the file; with `run_code` in it, each agent has that tool too. */
  readonly isolation?: Claims;
}

export interface World {
  readonly tools: readonly ToolFileText[];
  readonly agents: Readonly<Record<string, Claims>>;
}

const SHARED = { scope: "https://shared.test/by-scope", clients: "https://shared.test/by-client" };
const ALL_TOOLS = { roles: "all" };

export async function openBoundary(options: BoundaryOptions = {}): Promise<Boundary> {
  const folder = mkdtempSync(join(options.place ?? tmpdir(), "doorless-hostile-"));
  const provider = await openProvider();
  const api = await openApi();
  const undo = async (): Promise<void> => {
    await Promise.all([provider.close(), api.close()]);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    return await startBetween(provider, api, folder, options, undo);
  } catch (error) {
    await undo();
    throw error;
  }
}

async function startBetween(
  provider: HostileProvider,
  api: HostileApi,
  folder: string,
  options: BoundaryOptions,
  undo: () => Promise<void>,
): Promise<Boundary> {
  const { url, file } = await layOut(folder, provider.issuer, api.origin, options);
  const environment = { SECRET: "a-client-secret", ...options.environment };
  const config = loadConfig(file, environment);
  const lines: string[] = [];
  const fatal: unknown[] = [];
  let ahead_ms = 0;
  const monotonic = (): number => systemClock.monotonic() + ahead_ms;
  const start = (): Promise<Core> =>
    startCore({
      config: options.bend?.(config) ?? config,
      clock: { ...systemClock, monotonic },
      log: createLogger("debug", { write: (line: string) => void lines.push(line) }),
      allow_demo: false,
      onFatal: (error) => void fatal.push(error),
    });
  let core = await start();
  const claims = (agent: string, changes: Claims = {}): Claims => ({
    ...honestClaims(provider.issuer, `${url}/mcp/${agent}`),
    ...changes,
  });
  return {
    url,
    data: join(folder, "data"),
    provider,
    api,
    claims,
    token: (agent, changes) => provider.sign(defined(claims(agent, changes))),
    ledger: () => linesIn(join(folder, "data", "ledger")),
    logged: () => lines.join(""),
    fatal,
    async restart() {
      await core.stop();
      core = await start();
    },
    async reconfigure(change) {
      const next = change(JSON.parse(readFileSync(file, "utf8")) as Claims);
      writeFileSync(file, JSON.stringify(next, null, 2));
      return core.reload(loadConfig(file, environment));
    },
    pass: (ms) => {
      ahead_ms += ms;
    },
    async close() {
      await core.stop();
      await undo();
    },
  };
}

function addTools(file: Claims, names: readonly string[]): void {
  for (const agent of Object.values(file["agents"] as Record<string, { tools: Claims }>)) {
    agent.tools = { ...agent.tools, ...Object.fromEntries(names.map((name) => [name, {}])) };
  }
}

type LayOut = Pick<
  BoundaryOptions,
  "code" | "isolation" | "file" | "issuer" | "more_issuers" | "world"
>;

/** The files of a doorless of its own in `folder`; nothing is started. */
export async function layOut(folder: string, issuer: string, api: string, options: LayOut = {}) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const { code = {}, isolation, world } = options;
  writeTools(join(folder, "tools"), world?.tools ?? toolFiles());
  for (const [name, text] of Object.entries(code)) {
    writeFileSync(join(folder, "tools", "shop", `${name}.tool.ts`), text);
  }
  const written = configFile(url, port, issuer, api, world);
  addTools(written, [
    ...Object.keys(code),
    ...("run_code" in (isolation ?? {}) ? ["run_code"] : []),
  ]);
  const issuers = written["issuers"] as Record<string, Claims>;
  Object.assign(issuers["own"] ?? {}, options.issuer);
  Object.assign(issuers, options.more_issuers);
  const whole = { ...written, ...(isolation === undefined ? {} : { isolation }), ...options.file };
  const file = join(folder, "mcp.config.json");
  writeFileSync(file, JSON.stringify(whole));
  const hasCode = Object.keys(code).length > 0;
  const config = hasCode ? loadConfig(file, {}, { secrets: false }) : undefined;
  await approveTools(join(folder, "tools"), config);
  return { url, file };
}

export function honestClaims(iss: string, aud: string): Claims {
  return {
    iss,
    sub: "ada",
    aud,
    client_id: "an-ide",
    iat: nowS(),
    exp: nowS() + 600,
    name: "Ada L.",
    org: { tenant: "acme", roles: ["staff"] },
    sid: "sign-in-1",
  };
}

export function linesIn(folder: string): Claims[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".jsonl"))
    .toSorted()
    .flatMap((name) => readFileSync(join(folder, name), "utf8").replace(/\t+$/, "").split("\n"))
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Claims);
}

function writeTools(folder: string, tools: readonly ToolFileText[]): void {
  mkdirSync(folder);
  for (const connector of connectorsOf(tools)) {
    mkdirSync(join(folder, connector), { recursive: true });
    const about = { connector, title: connector, idempotency_header: "Idempotency-Key" };
    // JSON is YAML.
    writeFileSync(join(folder, connector, "connector.yaml"), JSON.stringify(about));
  }
  for (const { connector, ...tool } of tools) {
    writeFileSync(join(folder, connector, `${tool.name}.tool.yaml`), JSON.stringify(tool));
  }
}

function connectorsOf(tools: readonly ToolFileText[]): readonly string[] {
  return [...new Set(tools.map(({ connector }) => connector))];
}

function configFile(
  url: string,
  port: number,
  issuer: string,
  api: string,
  world: World | undefined,
): Claims {
  const tools = Object.fromEntries(toolFiles().map(({ name }) => [name, {}]));
  const agent = (tokens: Claims): Claims => ({ title: "An agent", purpose: "x", tokens, tools });
  const agents = world?.agents ?? {
    desk: agent({ audience: "own" }),
    garage: agent({ audience: "own" }),
    scope_a: agent({ audience: SHARED.scope, scope: "agent:a" }),
    scope_b: agent({ audience: SHARED.scope, scope: "agent:b" }),
    client_a: agent({ audience: SHARED.clients, clients: ["client-a", "client-aa"] }),
    client_b: agent({ audience: SHARED.clients, clients: ["client-b"] }),
  };
  const staff = Object.fromEntries(Object.keys(agents).map((name) => [name, ALL_TOOLS.roles]));
  return {
    public_url: url,
    listen: { host: "127.0.0.1", port },
    data: "data",
    issuers: {
      own: {
        issuer,
        algorithms: ["ES256", "RS256"],
        claims: { tenant: "/org/tenant", roles: "/org/roles" },
        tenants: ["acme"],
        actors: ["ide", "planner"],
        client: { client_id: "doorless", client_secret: "env:SECRET" },
        allow_private_addresses: true,
      },
    },
    agents,
    roles: world === undefined ? { staff, reader: { desk: ["item_get"] } } : { staff },
    connectors: connectorsFor(api, connectorsOf(world?.tools ?? toolFiles())),
    limits: {
      requests_per_user: { calls: 100_000, per_s: 60, burst: 10_000 },
      calls_per_user: { calls: 100_000, per_s: 60, burst: 10_000 },
      calls_per_session: { calls: 100_000, per_s: 60, burst: 10_000 },
      calls_per_user_and_tool: { calls: 100_000, per_s: 60, burst: 10_000 },
      destructive_calls_per_user: { calls: 100_000, per_s: 60, burst: 10_000 },
      budget_per_user: { calls: 10_000_000, bytes: 2 ** 50, cost: 10_000_000 },
      loops: { same_calls_max: 1_000_000, same_errors_max: 1_000_000 },
    },
    delegation: { reuse_ms_max: 0 },
  };
}

function connectorsFor(api: string, names: readonly string[]): Claims {
  return Object.fromEntries(
    names.map((name) => {
      const { origin, allow_private_addresses } = CONNECTORS[name] ?? WORKING;
      const delegation = { kind: "exchange", resource: `https://api.test/${name}` };
      return [name, { origin: origin(api), allow_private_addresses, delegation }];
    }),
  );
}
