// Surface: the frozen set of tools that one session has. `tools/list` shows it, `tools/call` goes
// through it, and there is no other way to a handler (DESIGN section 1, a missing door).
import type { ToolDefinition } from "../catalog/definition.ts";
import { fingerprint } from "../kernel/ids.ts";
import type { Facts } from "./says.ts";
import type { Verdict } from "./grant.ts";

/** A tool that this session has, with what the policy asks of its calls. */
export interface Door {
  readonly tool: ToolDefinition;
  /** Each call needs it; with some arguments others may, too: `judge` says. */
  readonly approve: "human" | undefined;
  /** The rules that opened it, as `file:line` places. */
  readonly rule: string;
  /** The tool's input schema, narrower where the rules are fixed for this credential. */
  readonly input_schema: Readonly<Record<string, unknown>>;
  /** As `tools/list` shows it; the same object each time. */
  readonly listed: ListedTool;
  /** Whether a call with these arguments, which fit the tool's own schema, is allowed. */
  judge(args: Readonly<Record<string, unknown>>, facts: Facts): Verdict;
}

/** A tool as `tools/list` shows it (MCP 2026-07-28, server/tools). */
export interface ListedTool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: Readonly<Record<string, unknown>>;
  readonly outputSchema: Readonly<Record<string, unknown>>;
  readonly annotations: Readonly<Record<string, unknown>>;
}

export interface Surface {
  /** The door of this name, or nothing: hidden, unknown and draft are all the same nothing. */
  get(name: string): Door | undefined;
  /** Sorted by name. */
  readonly doors: readonly Door[];
  /** Its doors as they are listed, the same objects each time. */
  readonly list: readonly ListedTool[];
  readonly fingerprint: string;
  /** The hash of the policy that it comes from. */
  readonly policy: string;
}

export function createSurface(doors: readonly Door[], policy: string): Surface {
  const sorted = Object.freeze(doors.toSorted((a, b) => (a.tool.name < b.tool.name ? -1 : 1)));
  const byName = new Map(sorted.map((door) => [door.tool.name, door]));
  let list: readonly ListedTool[] | undefined;
  let known: string | undefined;
  return Object.freeze({
    get: (name: string) => byName.get(name),
    doors: sorted,
    get list() {
      return (list ??= Object.freeze(sorted.map(({ listed }) => listed)));
    },
    // Asked for when a policy changes, and not for each surface: it costs more than the rest.
    get fingerprint() {
      return (known ??= fingerprint(sorted.map(marksOf)));
    },
    policy,
  });
}

function marksOf({ tool, approve, input_schema }: Door): unknown {
  const narrowed = input_schema === schemaOf(tool) ? null : input_schema;
  return [tool.hash, approve ?? null, narrowed];
}

// MCP, server/tools: structured results MUST fit outputSchema. A refusal is one too, and v1 clients
// hold it to the schema (typescript-sdk issue 2748): without this they would never see the error.
const REFUSED_OUTPUT = Object.freeze({
  type: "object",
  properties: { error: { type: "object" } },
  required: ["error"],
});

/** A tool as a session is shown it whose rules leave its input schema as it is. */
export function listingOf(
  tool: ToolDefinition,
  input_schema: Door["input_schema"] = schemaOf(tool),
): ListedTool {
  return Object.freeze({
    name: tool.name,
    title: tool.title,
    description: tool.description,
    inputSchema: input_schema,
    ...sharedOf(tool),
  });
}

type Shared = Pick<ListedTool, "outputSchema" | "annotations">;
const shared = new WeakMap<ToolDefinition, Shared>();

/** The same for everybody who has the tool. */
function sharedOf(tool: ToolDefinition): Shared {
  const known = shared.get(tool);
  if (known !== undefined) return known;
  const { title, effects, output_schema } = tool;
  const made = {
    outputSchema: { type: "object", anyOf: [output_schema, REFUSED_OUTPUT] },
    annotations: Object.freeze({
      title,
      readOnlyHint: effects.readOnly,
      destructiveHint: effects.destructive,
      idempotentHint: effects.idempotent,
      openWorldHint: effects.openWorld,
    }),
  };
  shared.set(tool, made);
  return made;
}

export function schemaOf({ input_schema }: ToolDefinition): Door["input_schema"] {
  return input_schema as unknown as Door["input_schema"];
}

/** What a client asked to see less of, by `Doorless-Tools` and `Doorless-Read-Only`. */
export interface Narrowing {
  readonly tools: ReadonlySet<string> | undefined;
  readonly read_only: boolean;
}

export const NO_NARROWING: Narrowing = Object.freeze({ tools: undefined, read_only: false });

/** Can only shrink: names that the surface does not have stay unknown. Read-only beats names. */
export function narrow(surface: Surface, by: Narrowing): Surface {
  const { tools } = by;
  const left = by.read_only ? readOnly(surface) : surface;
  if (tools === undefined) return left;
  // By the names, of which a request has few: each request of such a client does this.
  const doors = [...tools].map((name) => left.get(name)).filter((door) => door !== undefined);
  return createSurface(doors, left.policy);
}

const readOnly = keptBySurface(({ tool }) => tool.effects.readOnly);

/**
 * What generated code of this surface reaches: its tools that read, less those that run code, and
 * those that a human must approve.
 */
export const innerSurface = keptBySurface(
  ({ tool, approve }) =>
    tool.effects.readOnly && tool.kind !== "generated" && approve === undefined,
);

/** The part of a surface that `has`; made once for each. */
function keptBySurface(has: (door: Door) => boolean): (surface: Surface) => Surface {
  const kept = new WeakMap<Surface, Surface>();
  return (surface) => {
    const known = kept.get(surface) ?? createSurface(surface.doors.filter(has), surface.policy);
    kept.set(surface, known);
    return known;
  };
}
