// What an MCP server's results hold, read strictly where it matters; whatever carried them.
import { z } from "zod";
import { definitionSchema } from "../../catalog/upstream/pin.ts";
import type { UpstreamDefinition } from "../../contract/upstream.ts";
import { notMcp } from "./upstream.ts";
import type { UpstreamAnswer, UpstreamResult, UpstreamTurn } from "./upstream.ts";

export type Json = Readonly<Record<string, unknown>>;

const PAGES_MAX = 50;
/** Of all pages together. */
const LISTED_BYTES_MAX = 4_194_304;
const TOOLS_MAX = 2000;

const pageSchema = z.object({
  tools: z.array(definitionSchema).max(TOOLS_MAX),
  nextCursor: z.string().min(1).max(4096).optional(),
});

/**
 * Adds one page of `tools/list` to what was found, and says where it goes on; nothing where it is
 * no such page, or names a tool twice.
 */
function definitionsIn(
  result: Json,
  found: UpstreamDefinition[],
): { readonly cursor: string | undefined } | undefined {
  const page = pageSchema.safeParse(result);
  if (!page.success) return undefined;
  found.push(...page.data.tools);
  const isOnce = new Set(found.map(({ name }) => name)).size === found.length;
  return isOnce && found.length <= TOOLS_MAX ? { cursor: page.data.nextCursor } : undefined;
}

/** One request's answer, with so much of the turn left. */
type AskPage = (params: Json, turn: UpstreamTurn) => Promise<UpstreamAnswer<Json>>;

/** All pages: how many they are is bounded, and what they hold together with what asks for them. */
export async function listPages(
  turn: UpstreamTurn,
  ask: AskPage,
): Promise<UpstreamAnswer<readonly UpstreamDefinition[]>> {
  let bytes_max = Math.max(turn.bytes_max, LISTED_BYTES_MAX);
  const moved = (bytes: number): void => {
    bytes_max = Math.max(0, bytes_max - bytes);
    turn.moved(bytes);
  };
  const found: UpstreamDefinition[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < PAGES_MAX; page++) {
    const params = cursor === undefined ? {} : { cursor };
    const answer = await ask(params, { ...turn, bytes_max, moved });
    if (!answer.ok) return answer;
    const read = definitionsIn(answer.value, found);
    if (read === undefined) return { ok: false, refusal: notMcp("a list of tools"), sent: true };
    cursor = read.cursor;
    if (cursor === undefined) return { ok: true, value: found };
  }
  return { ok: false, refusal: notMcp("a list of tools that ends"), sent: true };
}

const resultSchema = z
  .object({
    content: z.array(z.unknown()).optional(),
    structuredContent: z.unknown().optional(),
    isError: z.boolean().default(false),
  })
  // Nothing at all is no answer, and not an empty one.
  .refine(({ content, structuredContent }) => (content ?? structuredContent) !== undefined);

/** The result of `tools/call`. */
export function resultIn(result: Json): UpstreamAnswer<UpstreamResult> {
  const read = resultSchema.safeParse(result);
  if (!read.success) return { ok: false, refusal: notMcp("no tool's result"), sent: true };
  const { content = [], structuredContent: structured, isError: is_error } = read.data;
  return { ok: true, value: { content, structured, is_error } };
}
