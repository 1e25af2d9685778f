// Real MCP clients of both eras, over HTTP and stdio, behind one face; doorless is what they meet.
import { join, resolve } from "node:path";
import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernHttp,
} from "@modelcontextprotocol/client";
import type { RequestOptions, Transport as ModernTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport as ModernStdio } from "@modelcontextprotocol/client/stdio";
import { Client as OlderClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as OlderStdio } from "@modelcontextprotocol/sdk/client/stdio.js";
import * as older_http from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport as OlderTransport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { COMPILED } from "../setup/projects.ts";

export const ROOT = resolve(import.meta.dirname, "../..");
export const LAUNCHER = join(ROOT, "bin", "doorless.js");
/** The flags that the launcher wants: with them it runs the program in its own process. */
export const NODE_FLAGS = ["--disable-sigusr1"];
export const MODERN = "2026-07-28";

/** What a shell has, without what this test process was started with. */
export function plainEnvironment(env: Record<string, string> = {}): Record<string, string> {
  const PATH = process.env["PATH"] ?? "";
  return { PATH, HOME: "/nonexistent", NODE_COMPILE_CACHE: COMPILED, ...env };
}

export type Json = Record<string, unknown>;

interface ToolResult {
  readonly isError: boolean;
  readonly value: Json;
  readonly text: string;
  readonly call_id: unknown;
  /** `structuredContent.error`, where there is one. */
  readonly error: Json | undefined;
}

interface CallOptions {
  readonly meta?: Json;
  readonly signal?: AbortSignal;
}

export interface McpClient {
  readonly version: string | undefined;
  readonly list: () => Promise<Json[]>;
  readonly names: () => Promise<string[]>;
  readonly call: (name: string, args?: Json, options?: CallOptions) => Promise<ToolResult>;
  /** Resolves when the server says that the tools are others, since the last time. */
  readonly changed: () => Promise<void>;
  readonly close: () => Promise<void>;
}

export type ClientKind = "v1" | "v2 pinned" | "v2 automatic";
export const CLIENT_KINDS: readonly ClientKind[] = ["v1", "v2 pinned", "v2 automatic"];

const IDENTITY = { name: "doorless-interop", version: "1" };

/** Connects over HTTP with a token, and perhaps more headers. */
export function connectHttp(
  kind: ClientKind,
  url: string,
  token: string,
  headers: Record<string, string> = {},
): Promise<McpClient> {
  const requestInit = { headers: { ...headers, authorization: `Bearer ${token}` } };
  const at = new URL(url);
  if (kind === "v1")
    return older(new older_http.StreamableHTTPClientTransport(at, { requestInit }));
  return modern(kind, new ModernHttp(at, { requestInit }));
}

export interface StdioCommand {
  readonly command: string;
  readonly args: string[];
  readonly env?: Record<string, string>;
}

/** `doorless stdio AGENT`, attached to the doorless of this data folder. */
export function bridgeTo(agent: string, data: string, token?: string): StdioCommand {
  return {
    command: process.execPath,
    args: [...NODE_FLAGS, LAUNCHER, "stdio", agent, "--data", data],
    env: plainEnvironment(token === undefined ? {} : { DOORLESS_TOKEN: token }),
  };
}

/** `hears`: it wants to know when its tools change. */
export function connectStdio(
  kind: ClientKind,
  command: StdioCommand,
  hears = false,
): Promise<McpClient> {
  const server = { ...command, stderr: "ignore" as const };
  if (kind === "v1") return older(new OlderStdio(server), hears);
  return modern(kind, new ModernStdio(server), hears);
}

/** What a client is constructed with to hear of changes, and how a test waits for one. */
function changes(hears: boolean) {
  let next = Promise.withResolvers<void>();
  const tools = { autoRefresh: false, debounceMs: 0, onChanged: () => next.resolve() };
  return {
    options: hears ? { listChanged: { tools } } : {},
    changed: async (): Promise<void> => {
      await next.promise;
      next = Promise.withResolvers<void>();
    },
  };
}

async function older(transport: OlderTransport, hears = false): Promise<McpClient> {
  const { options: told, changed } = changes(hears);
  const client = new OlderClient(IDENTITY, told);
  let version: string | undefined;
  const tell = transport.setProtocolVersion?.bind(transport);
  transport.setProtocolVersion = (agreed) => {
    version = agreed;
    tell?.(agreed);
  };
  await client.connect(transport);
  return {
    version,
    list: async () => (await client.listTools()).tools,
    names: async () => (await client.listTools()).tools.map(({ name }) => name),
    async call(name, args = {}, { meta, signal } = {}) {
      const params = { name, arguments: args, ...(meta ? { _meta: meta } : {}) };
      return resultOf(await client.callTool(params, undefined, signal ? { signal } : {}));
    },
    changed,
    close: () => client.close(),
  };
}

/** A v2 client on any transport; how its version was found is part of what is tested. */
export async function modern(
  kind: Exclude<ClientKind, "v1">,
  transport: ModernTransport,
  hears = false,
): Promise<McpClient> {
  const mode = kind === "v2 pinned" ? { pin: MODERN } : "auto";
  const { options: told, changed } = changes(hears);
  const client = new ModernClient(IDENTITY, { versionNegotiation: { mode }, ...told });
  await client.connect(transport);
  return {
    version: client.getNegotiatedProtocolVersion(),
    list: async () => (await client.listTools()).tools,
    names: async () => (await client.listTools()).tools.map(({ name }) => name),
    async call(name, args = {}, { meta, signal } = {}) {
      const params = { name, arguments: args, ...(meta ? { _meta: meta } : {}) };
      const options: RequestOptions = signal ? { signal } : {};
      return resultOf(await client.callTool(params, options));
    },
    changed,
    close: () => client.close(),
  };
}

function resultOf(result: unknown): ToolResult {
  const { isError, structuredContent, content, _meta } = result as Json;
  const value = (structuredContent ?? {}) as Json;
  const blocks = (content ?? []) as { text?: string }[];
  return {
    isError: isError === true,
    value,
    text: blocks.map(({ text = "" }) => text).join("\n"),
    call_id: (_meta as Json | undefined)?.["doorless/call_id"],
    error: value["error"] as Json | undefined,
  };
}
