// `npm run bench -- policy`: what a decision costs, and what compiling a surface costs, over
// catalogues of growing size and a policy of a thousand rules. In one process, without a server.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadCatalog } from "../../src/catalog/load.ts";
import type { Catalog, ToolDefinition } from "../../src/catalog/definition.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/load.ts";
import { compilePolicy } from "../../src/policy/policy.ts";
import type { Policy } from "../../src/policy/policy.ts";
import type { Who } from "../../src/policy/who.ts";

const SIZES = [20, 200, 2000, 20_000] as const;
const RULES = 1000;
const CALLS = 200_000;
const ROUNDS = 40;

interface Row {
  readonly tools: number;
  readonly compile_ms: number;
  /** The first surface of a policy, as it is listed. */
  readonly surface_ms: number;
  /** Of a user with the same roles and claims of his own. */
  readonly next_user_ms: number;
  /** Decisions a second over twenty of the tools, and over all of them. */
  readonly per_s_over_20: number;
  readonly per_s_over_all: number;
}

export function benchPolicy({ json = false, quick = false }): void {
  const folder = mkdtempSync(join(tmpdir(), "doorless-bench-policy-"));
  try {
    const one = readTool(folder);
    const rows = SIZES.map((tools) => measure(folder, one, tools, quick));
    if (json) console.log(JSON.stringify({ rules: RULES, rows }));
    else console.table(rows);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function measure(folder: string, one: ToolDefinition, tools: number, quick: boolean): Row {
  const catalog = catalogOf(one, tools);
  const config = configOf(folder, tools);
  const rounds = quick ? 3 : ROUNDS;
  const list = (of: Policy, subject: string): void => {
    const { length } = of.surface(who(subject), "desk").list;
    if (length !== tools) throw new Error(`${length} tools of ${tools} are listed`);
  };
  // A policy keeps what it made: each round has a policy of its own, and then a user of his own.
  const compile = (): Policy => compilePolicy(config, catalog);
  const compile_ms = mean(rounds, compile);
  const surface_ms = mean(rounds, (policy) => list(policy, "ada"), compile);
  const policy = compile();
  let n = 0;
  const next_user_ms = mean(rounds, () => list(policy, `user-${n++}`));
  const surface = policy.surface(who("ada"), "desk");
  const facts = { who: who("ada"), now_ms: 0, seen: () => [] };
  const names = surface.list.map(({ name }) => name);
  const calls = quick ? CALLS / 10 : CALLS;
  const decide = (among: readonly string[]): number => {
    let allowed = 0;
    const ms = mean(quick ? 1 : 5, () => {
      for (let i = 0; i < calls; i++) {
        const door = surface.get(among[(i * 7919) % among.length] ?? "");
        // Half of them are above the limit.
        const args = { id: 1, amount: i % 200, owner: "ada", note: "as agreed" };
        if (door?.judge(args, facts).allowed === true) allowed++;
      }
    });
    if (allowed === 0) throw new Error("no decision allowed anything");
    return Math.round((calls * 1000) / ms);
  };
  return {
    tools,
    compile_ms: rounded(compile_ms),
    surface_ms: rounded(surface_ms),
    next_user_ms: rounded(next_user_ms),
    per_s_over_20: decide(names.slice(0, 20)),
    per_s_over_all: decide(names),
  };
}

/**
 * Processor time of this thread, so that a busy machine changes little: the mean, warmed up, for
 * this clock is coarse. What comes before each round is not counted.
 */
function mean<T>(rounds: number, work: (given: T) => unknown, before?: () => T): number {
  const once = (): number => {
    const given = before?.() as T;
    const from = process.threadCpuUsage();
    work(given);
    const { user, system } = process.threadCpuUsage(from);
    return (user + system) / 1000;
  };
  for (let i = 0; i < rounds / 2; i++) once();
  let ms = 0;
  for (let i = 0; i < rounds; i++) ms += once();
  return ms / rounds;
}

const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;

function who(subject: string): Who {
  return { roles: ["clerk"], scopes: [], subject, tenant: "acme", issuer: "https://login.test" };
}

const name = (i: number): string => `tool_${i}`;

/** The same tool under many names: reading as many files is the catalogue's bench, not this one. */
function catalogOf(one: ToolDefinition, size: number): Catalog {
  const tools = Array.from({ length: size }, (_, i) => {
    const tool: ToolDefinition = { ...one, name: name(i), hash: `sha256:${i}` };
    return [tool.name, tool] as const;
  });
  return {
    tools: new Map(tools),
    drafts: [],
    toolsets: new Set(["shop"]),
    absent: new Map(),
    unapproved: new Map(),
  };
}

function readTool(folder: string): ToolDefinition {
  const tools = join(folder, "tools", "shop");
  mkdirSync(tools, { recursive: true });
  writeFileSync(join(tools, "connector.yaml"), "connector: shop\ntitle: Shop\n");
  const text = { type: "string", maxLength: 200 };
  const file = {
    name: "tool_0",
    title: "A tool",
    description: "A tool of the shop",
    operation: "PUT /items/{id}",
    input: {
      id: { in: "path", schema: { type: "integer", minimum: 1 } },
      amount: { in: "body", schema: { type: "integer" } },
      owner: { in: "body", schema: text },
      note: { in: "body", optional: true, schema: text },
    },
    output: { id: { from: "/id", schema: { type: "integer" } } },
    effects: { readOnly: false, destructive: false, idempotent: true, openWorld: false },
    target: "item:{id}",
    scopes: ["items:write"],
  };
  writeFileSync(join(tools, "tool_0.tool.yaml"), JSON.stringify(file));
  const [tool] = loadCatalog(join(folder, "tools")).tools.values();
  if (tool === undefined) throw new Error("no tool");
  return tool;
}

/** Every tool is listed; a thousand rules are spread over them, at the agent and at ten roles. */
function configOf(folder: string, size: number): Config {
  const limits = (i: number) => ({
    arguments: {
      amount: { maximum: 100 + (i % 7) },
      // A tenth of the rules is different for each user.
      owner: i % 10 === 0 ? { equals: "principal.subject" } : { minLength: 1 },
      note: { pattern: "[a-z ]{0,50}", optional: true },
    },
    rules: [{ when: { note: { enum: ["never"] } }, refuse: "Never." }],
  });
  const tools = Object.fromEntries(
    Array.from({ length: size }, (_, i) => [name(i), i < RULES ? limits(i) : {}]),
  );
  const clerk = { desk: "all" };
  const others = Array.from({ length: 10 }, (_, role) => {
    const its = Array.from({ length: Math.min(size, RULES / 10) }, (__, i) => [name(i), limits(i)]);
    return [`role_${role}`, { desk: { tools: Object.fromEntries(its) as object } }];
  });
  const file = join(folder, `config-${size}.json`);
  const config = {
    public_url: "https://doors.test",
    listen: { port: 8484 },
    ledger: { without_anchor: "accepted" },
    issuers: {
      corp: {
        issuer: "https://login.test",
        claims: { roles: "/roles" },
        liveness: { source: "token_lifetime", accepted: true },
      },
    },
    agents: { desk: { title: "Desk", purpose: "Everything", tools } },
    roles: { clerk, ...(Object.fromEntries(others) as object) },
    connectors: {
      shop: {
        origin: "https://shop.test",
        delegation: { kind: "exchange", resource: "https://shop.test/api" },
      },
    },
  };
  writeFileSync(file, JSON.stringify(config));
  return loadConfig(file, {}, { secrets: false });
}
