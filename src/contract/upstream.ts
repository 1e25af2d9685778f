// What an MCP server says of one of its tools, which is the contract of ours: any change of it is a
// change of what somebody approved, words among them. Nothing here is ever shown to a model.
import { fingerprint } from "../kernel/ids.ts";

type Json = Readonly<Record<string, unknown>>;

/** A tool as `tools/list` has it, without what is not part of its definition (icons, `_meta`). */
export interface UpstreamDefinition {
  readonly name: string;
  readonly title?: string | undefined;
  readonly description?: string | undefined;
  readonly inputSchema: Json;
  readonly outputSchema?: Json | undefined;
  readonly annotations?: Json | undefined;
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
