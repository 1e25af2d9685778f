// What an MCP server's results hold, read strictly where it matters; whatever carried them.
import { z } from "zod";
import { definitionSchema } from "../../catalog/upstream/pin.ts";
import type { UpstreamDefinition } from "../../contract/upstream.ts";
import { notMcp } from "./upstream.ts";
import type { UpstreamAnswer, UpstreamResult } from "./upstream.ts";

export type Json = Readonly<Record<string, unknown>>;

export const PAGES_MAX = 50;
const TOOLS_MAX = 2000;

const pageSchema = z.object({
  tools: z.array(definitionSchema).max(TOOLS_MAX),
  nextCursor: z.string().min(1).max(4096).optional(),
});

/**
 * Adds one page of `tools/list` to what was found, and says where it goes on; nothing where it is
 * no such page, or names a tool twice.
 */
export function definitionsIn(
  result: Json,
  found: UpstreamDefinition[],
): { readonly cursor: string | undefined } | undefined {
  const page = pageSchema.safeParse(result);
  if (!page.success) return undefined;
  found.push(...page.data.tools);
  const isOnce = new Set(found.map(({ name }) => name)).size === found.length;
  return isOnce && found.length <= TOOLS_MAX ? { cursor: page.data.nextCursor } : undefined;
}

const resultSchema = z.object({
  content: z.array(z.unknown()).default([]),
  structuredContent: z.unknown().optional(),
  isError: z.boolean().default(false),
});

/** The result of `tools/call`. */
export function resultIn(result: Json): UpstreamAnswer<UpstreamResult> {
  const read = resultSchema.safeParse(result);
  if (!read.success) return { ok: false, refusal: notMcp("no tool's result"), sent: true };
  const { content, structuredContent: structured, isError: is_error } = read.data;
  return { ok: true, value: { content, structured, is_error } };
}
