// An agent gets a whole answer, or an error that says how to ask for less (ADR 22): the pages of
// a list are one answer, and one that holds a part without saying so is none.
import type { DeclarativeTool, PlacedInput, ToolDefinition } from "../catalog/definition.ts";
import { followedIn } from "../catalog/pagination.ts";
import { isPositionName, isSizeName, moreIn, nextLinks } from "../contract/paging.ts";
import { hasList, project, projectPages, saysMore } from "../contract/projection.ts";
import type { Projected } from "../contract/projection.ts";
import { refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import { no, ok } from "../kernel/result.ts";
import type { Result } from "../kernel/result.ts";
import type { BrokerAnswer } from "../sandbox/broker.ts";
import { Pages } from "../sandbox/pages.ts";
import type { BrokerRequest } from "../sandbox/request.ts";
import type { Answered, Progress, Rooms } from "./call.ts";

/** What one request may still take of the tool's time and bytes. */
export type Bounds = Pick<DeclarativeTool, "timeout_ms" | "response_bytes_max">;

interface Asking {
  readonly ask: (request: BrokerRequest, bounds: Bounds) => Promise<Result<BrokerAnswer>>;
  /** Whether it may go on, and as whom. */
  readonly again: () => Promise<Refusal | undefined>;
}

/** All pages within the tool's own bounds, which are those of one answer; or why not. */
export async function readPages(
  { clock, config }: Pick<Rooms, "clock" | "config">,
  progress: Progress,
  tool: DeclarativeTool,
  request: BrokerRequest,
  { ask, again }: Asking,
): Promise<Result<Answered>> {
  const origin = config.connectors[tool.connector.name]?.origin ?? "";
  const pages = new Pages(tool, request, origin);
  const until_ms = clock.monotonic() + tool.timeout_ms;
  const [began, max] = [progress.bytes, tool.response_bytes_max];
  for (let next = request; ;) {
    const timeout_ms = Math.ceil(until_ms - clock.monotonic());
    if (timeout_ms <= 0) return no(refusal("timeout", { effect: "none", retry_after_ms: 1000 }));
    const left = max - (progress.bytes - began);
    const answer = await ask(next, { timeout_ms, response_bytes_max: left });
    if (!answer.ok) return no(ofAllPages(answer.refusal, max));
    const after = pages.take(answer.value);
    if (!after.ok) return after;
    if (after.value === undefined) return ok({ body: answer.value.body, pages: pages.bodies });
    next = after.value;
    const gone = await again();
    if (gone !== undefined) return no(gone);
  }
}

// What was left for one page is nothing to be told.
function ofAllPages(refused: Refusal, max: number): Refusal {
  if (refused.details?.["limit"] !== "response_bytes_max") return refused;
  const details = { limit: "response_bytes_max", max };
  return { ...refused, reason: `Its pages have more than ${max} bytes.`, details };
}

/** What a tool returns of its answer, each page of it judged. */
export function shapeOf(tool: ToolDefinition, answer: Answered | undefined): Projected {
  const list = tool.kind === "declarative" ? followedIn(tool)?.items : undefined;
  return list === undefined || answer?.pages === undefined
    ? project(tool.output, answer?.body)
    : projectPages(tool.output, answer.pages, list);
}

/**
 * An answer that says that there is more, of a tool whose result does not say so: the agent would
 * take it for all there is. Whoever asked for a part, by an argument, knows that it is one.
 */
export function unsaidRest(
  tool: DeclarativeTool,
  args: Readonly<Record<string, unknown>>,
  answer: Answered | undefined,
): Refusal | undefined {
  const { output, effects, inputs, pagination } = tool;
  if (!effects.readOnly || pagination !== undefined || !hasList(output)) return undefined;
  const isPart = [...inputs].some(([name, input]) => Object.hasOwn(args, name) && saysPart(input));
  if (isPart || saysMore(output)) return undefined;
  const at = nextLinks(answer?.link ?? "").length > 0 ? "Link" : moreIn(answer?.body);
  if (at === undefined) return undefined;
  return narrowed(
    tool,
    refusal("result_too_large", {
      effect: "none",
      reason: "The API has more than one page of it, and this tool reads one.",
      details: { limit: "one_page" },
      cause: `the answer says at ${at} that there is more: give the tool \`pagination\``,
    }),
  );
}

// `from` and `after` a day are which records are meant, and not how many of them.
function saysPart({ as, schema }: Pick<PlacedInput, "as" | "schema">): boolean {
  const isTime = schema.format === "date" || schema.format === "date-time";
  return isSizeName(as) || (isPositionName(as) && !isTime);
}

/** The same, with the arguments by which an agent can ask for less. */
export function narrowed(tool: ToolDefinition, refused: Refusal): Refusal {
  if (refused.code !== "result_too_large") return refused;
  const narrow_by = narrowing(tool);
  const how =
    narrow_by.length === 0
      ? "No argument of this tool narrows it."
      : `Narrow it with ${narrow_by.join(", ")}.`;
  const { reason, details } = refused;
  return {
    ...refused,
    reason: reason === undefined ? how : `${reason} ${how}`,
    details: { ...details, narrow_by },
  };
}

// What names the record that is asked for narrows nothing.
function narrowing(tool: ToolDefinition): readonly string[] {
  if (tool.kind !== "declarative") return [...tool.inputs.keys()];
  return [...tool.inputs].flatMap(([name, input]) => (input.in === "path" ? [] : [name]));
}
