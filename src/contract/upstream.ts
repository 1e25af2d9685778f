// What an MCP server says of one of its tools, which is the contract of ours: any change of it is a
// change of what somebody approved, words among them. Nothing here is ever shown to a model.
import { fingerprint } from "../kernel/ids.ts";
import { Findings } from "./findings.ts";
import type { Finding } from "./findings.ts";

type Json = Readonly<Record<string, unknown>>;

/** A tool as `tools/list` has it, without what is not part of its definition (icons, `_meta`). */
export interface UpstreamDefinition {
  readonly name: string;
  readonly title?: string | undefined;
  readonly description?: string | undefined;
  readonly inputSchema: Json;
  readonly outputSchema?: Json | undefined;
  readonly annotations?: Json | undefined;
  /** Whether it can only be run as a task. */
  readonly execution?: Json | undefined;
}

/** Where the server is: a URL; or the program that it is, with a digest of its files if known. */
export type UpstreamEndpoint =
  | string
  | { readonly command: readonly string[]; readonly files?: string | undefined };

/** What is pinned. */
export interface UpstreamContract {
  readonly endpoint: UpstreamEndpoint;
  readonly definition: UpstreamDefinition;
}

/** Each equal where nothing of it has changed. */
export interface UpstreamHashes {
  readonly definition: string;
  readonly endpoint: string;
}

export function upstreamHashes({ endpoint, definition }: UpstreamContract): UpstreamHashes {
  return { definition: fingerprint(definition), endpoint: fingerprint(endpoint) };
}

/** A tool of ours in one session's list of its server's. */
export interface UpstreamSeen {
  /** Fingerprint of the definition that it was held against. */
  readonly pinned: string;
  /** What stops it; none where nothing does. */
  readonly rules: readonly string[];
}

const PARTS = [
  ["title", "mcp-tool-title-changed"],
  ["description", "mcp-tool-description-changed"],
  ["inputSchema", "mcp-tool-input-changed"],
  ["outputSchema", "mcp-tool-output-changed"],
  ["annotations", "mcp-tool-annotations-changed"],
  ["execution", "mcp-tool-execution-changed"],
] as const;

/** In how far the server is not what is pinned; `seen` is nothing where the tool is gone. */
export function judgeUpstream(
  pinned: UpstreamContract,
  endpoint: UpstreamEndpoint,
  seen: UpstreamDefinition | undefined,
): readonly Finding[] {
  const { definition } = pinned;
  const findings = new Findings(definition.name, {});
  const at = (pointer: string) =>
    ({ side: "operation", kind: "", pointer, path: pointer }) as const;
  if (fingerprint(endpoint) !== fingerprint(pinned.endpoint)) {
    const change = { from: saidOf(pinned.endpoint), to: saidOf(endpoint) };
    findings.add("mcp-endpoint-changed", at(""), change);
  }
  if (seen === undefined) findings.add("mcp-tool-removed", at(""));
  else {
    for (const [part, rule] of PARTS) {
      const [from, to] = [definition[part], seen[part]];
      if (fingerprint(from ?? null) === fingerprint(to ?? null)) continue;
      findings.add(rule, at(`/${part}`), { from, to });
    }
  }
  return findings.all();
}

/** Two that differ are never said alike: who accepts a change accepts this one alone. */
export function saidOf(endpoint: UpstreamEndpoint): string {
  if (typeof endpoint === "string") return endpoint;
  const { command, files = "files that nobody knows" } = endpoint;
  return `${files} ${JSON.stringify(command)}`;
}
