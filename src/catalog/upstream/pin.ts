// contract/NAME.json of a tool of an MCP server: the tool as the server described it, and where.
import { z } from "zod";
import { upstreamHashes } from "../../contract/upstream.ts";
import type { UpstreamContract, UpstreamHashes } from "../../contract/upstream.ts";

export interface UpstreamPin extends UpstreamContract {
  readonly hashes: UpstreamHashes;
}

const object = z.record(z.string(), z.unknown());

/** A tool's definition as a server sends it: what else is in it is no part of it. */
export const definitionSchema = z.object({
  name: z.string().min(1).max(128),
  title: z.string().optional(),
  description: z.string().optional(),
  inputSchema: object,
  outputSchema: object.optional(),
  annotations: object.optional(),
  execution: object.optional(),
});

export const upstreamPinSchema = z.strictObject({
  format: z.literal(1),
  kind: z.literal("mcp"),
  /** When a server that had it was asked. */
  retrieved: z.string(),
  endpoint: z.union([
    z.string(),
    z.strictObject({ command: z.array(z.string()).min(1), files: z.string().optional() }),
  ]),
  definition: definitionSchema.strict(),
});

type UpstreamPinFile = z.infer<typeof upstreamPinSchema>;

export function toUpstreamPin({ endpoint, definition }: UpstreamContract): UpstreamPin {
  const contract = { endpoint, definition };
  return Object.freeze({ ...contract, hashes: upstreamHashes(contract) });
}

/** The file's text; canonical in nothing, so that a review reads the server's own order. */
export function upstreamPinText(contract: UpstreamContract, now: Date): string {
  const { endpoint, definition } = contract;
  const file: UpstreamPinFile = {
    format: 1,
    kind: "mcp",
    retrieved: now.toISOString(),
    endpoint:
      typeof endpoint === "string" ? endpoint : { ...endpoint, command: [...endpoint.command] },
    definition: { ...definition },
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}
