// The stage of `prove`: a demo world, and an agent that sends whatever it likes.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/load.ts";
import { askLocal } from "../console/local.ts";
import { OPERATOR, plainNames } from "../ledger/query.ts";
import type { AuditFilter } from "../ledger/query.ts";
import { readLedger } from "../ledger/ledger.ts";
import type { AuditRecord } from "../ledger/record.ts";
import type { House } from "../console/house.ts";
import { readHouseOffline } from "../console/house.ts";
import type { Policy } from "../policy/policy.ts";
import type { RunningDemo } from "./demo-world.ts";

const PROTOCOL = "2026-07-28";
const META = {
  "io.modelcontextprotocol/protocolVersion": PROTOCOL,
  "io.modelcontextprotocol/clientCapabilities": {},
  "io.modelcontextprotocol/clientInfo": { name: "hostile agent", version: "0" },
};

/** One row of the SaaS's own audit log; it knows nothing of doorless. */
export interface SaasRow {
  readonly time: string;
  readonly subject: string | null;
  readonly client: string | null;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly request_id: string;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly call_id: string | undefined;
  readonly result: Record<string, unknown> | undefined;
  /** The tool error's code, where it was one. */
  readonly error_code: string | undefined;
}

export class Stage {
  readonly demo: RunningDemo;
  readonly config: Config;
  readonly policy: Policy;
  readonly catalog: readonly string[];
  /** Every token that was handed to the agent so far. */
  readonly tokens: string[] = [];
  private readonly logged: readonly string[];

  private constructor(demo: RunningDemo, logged: readonly string[], house: House) {
    this.demo = demo;
    this.logged = logged;
    this.config = house.config;
    this.policy = house.policy;
    this.catalog = [...house.catalog.tools.keys()];
  }

  static async open(demo: RunningDemo, logged: readonly string[]): Promise<Stage> {
    const config = loadConfig(join(demo.ready.data, "mcp.config.json"), {});
    return new Stage(demo, logged, await readHouseOffline(config));
  }

  async token(person: string, agent: string): Promise<string> {
    const token = await this.demo.world.mintToken(person, agent, 600);
    this.tokens.push(token);
    return token;
  }

  /** One raw HTTP request to an agent's endpoint. */
  async raw(agent: string, headers: Record<string, string>, body: string): Promise<Response> {
    return fetch(this.demo.ready.mcp[agent] ?? "", { method: "POST", headers, body });
  }

  async request(
    agent: string,
    token: string,
    method: string,
    params: object,
    meta: object = {},
  ): Promise<Answer> {
    const named = "name" in params ? { "mcp-name": String(params.name) } : {};
    const response = await this.raw(
      agent,
      {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        authorization: `Bearer ${token}`,
        "mcp-protocol-version": PROTOCOL,
        "mcp-method": method,
        ...named,
      },
      JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method,
        params: { ...params, _meta: { ...META, ...meta } },
      }),
    );
    return read(response);
  }

  /** What an operator asks on the local socket. */
  ask(path: string, question: object): Promise<unknown> {
    return askLocal(this.demo.ready.data, "core", path, { os_user: "prove", ...question });
  }

  list(agent: string, token: string): Promise<Answer> {
    return this.request(agent, token, "tools/list", {});
  }

  call(agent: string, token: string, name: string, args: object, meta?: object): Promise<Answer> {
    return this.request(agent, token, "tools/call", { name, arguments: args }, meta);
  }

  async saasRows(): Promise<readonly SaasRow[]> {
    const response = await fetch(`${this.demo.ready.api}/audit?limit=10000`);
    return (await response.json()) as SaasRow[];
  }

  /** The ledger as its files have it, without asking the server. */
  async ledger(filter: Partial<AuditFilter>): Promise<readonly AuditRecord[]> {
    const index = readLedger(join(this.demo.ready.data, "ledger"), plainNames);
    try {
      return (await index.query({ limit: 1000, ...filter }, OPERATOR)).records;
    } finally {
      await index.close();
    }
  }

  /** Everything that was kept or logged, to look for what must not be there. */
  traces(): string {
    const { data } = this.demo.ready;
    // The provider's and the SaaS's own state is not ours.
    const ours = readdirSync(data, { recursive: true, withFileTypes: true }).filter(
      (entry) => entry.isFile() && !entry.parentPath.startsWith(join(data, "world")),
    );
    const files = ours.map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"));
    return [...files, ...this.logged].join("\n");
  }
}

async function read(response: Response): Promise<Answer> {
  const text = await response.text();
  const body = parse(text) as { result?: Record<string, unknown> } | undefined;
  const result = body?.result;
  const meta = result?.["_meta"] as Record<string, unknown> | undefined;
  const content = result?.["structuredContent"] as { error?: { code?: string } } | undefined;
  const call_id = meta?.["doorless/call_id"];
  return {
    status: response.status,
    text,
    call_id: typeof call_id === "string" ? call_id : undefined,
    result,
    error_code: result?.["isError"] === true ? content?.error?.code : undefined,
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Fails a check, saying what was seen. */
export function must(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
