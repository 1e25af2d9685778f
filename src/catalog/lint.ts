// Looks a whole catalogue over before somebody approves of it: each text that a model reads, what
// it costs, and tools that could be taken for one another.
import { pointerTo } from "../kernel/json.ts";
import { isPositionName } from "../contract/paging.ts";
import { hasList, saysMore } from "../contract/projection.ts";
import { connectorOf } from "./definition.ts";
import type { ToolDefinition } from "./definition.ts";
import { lintText } from "./lint-text.ts";
import type { TextRule } from "./lint-text.ts";

export interface Fault {
  readonly tool: string;
  readonly rule: TextRule | "look_alike" | "names_another" | "long_text" | "large" | "one_page";
  /** It cannot be approved like this; the other faults are for a human's judgement. */
  readonly grave: boolean;
  /** Where in the tool as a model reads it: `/input/properties/id/description`. */
  readonly pointer: string;
  readonly said: string;
}

type Found = Omit<Fault, "tool">;

const TEXT_CHARS_MAX = 1024;
const TOOL_BYTES_MAX = { told: 8192, taken: 32_768 } as const;
/** A rule of thumb for JSON in English: nobody's tokenizer. */
const BYTES_PER_TOKEN = 4;

/** `originOf` a connector, where one is configured. */
export function lintTools(
  tools: Iterable<ToolDefinition>,
  originOf: (connector: string) => string | undefined,
): readonly Fault[] {
  // The one that is built in is ours.
  const own = [...tools].filter((tool) => tool.kind !== "generated");
  const names = new Map(own.map((tool) => [tool.name, tool]));
  const shapes = Map.groupBy(own, ({ name }) => shapeOf(name));
  const titles = Map.groupBy(own, titleOf);
  return own.flatMap((tool) => {
    const connector = connectorOf(tool)?.name;
    const origin = connector === undefined ? undefined : originOf(connector);
    const texts = textsIn(saidBy(tool)).flatMap(({ pointer, text }) =>
      [...lintText(text, origin), ...longIn(text), ...othersIn(text, tool, names)].map((found) => ({
        pointer,
        ...found,
      })),
    );
    return [
      ...alikeIn(tool, shapes.get(shapeOf(tool.name)), "/name", "looks like"),
      ...alikeIn(tool, titles.get(titleOf(tool)), "/title", "is the title, too, of"),
      ...largeIn(tool),
      ...onePageIn(tool),
      ...texts,
    ].map((found) => ({ tool: tool.name, ...found }));
  });
}

/** What of a tool a model reads, beside its name. */
function saidBy({ title, description, input_schema, output_schema }: ToolDefinition) {
  return { title, description, input: input_schema, output: output_schema };
}

export interface Cost {
  readonly bytes: number;
  readonly tokens: number;
}

/** What a tool takes of a model's context. */
export function costOf(tool: ToolDefinition): Cost {
  const bytes = Buffer.byteLength(JSON.stringify({ name: tool.name, ...saidBy(tool) }));
  return { bytes, tokens: Math.ceil(bytes / BYTES_PER_TOKEN) };
}

interface Said {
  readonly pointer: string;
  readonly text: string;
}

/** Each string in it, names of properties among them. */
function textsIn(value: unknown, pointer = ""): readonly Said[] {
  if (typeof value === "string") return [{ pointer, text: value }];
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const at = pointerTo(pointer, key);
    return [...(Array.isArray(value) ? [] : [{ pointer: at, text: key }]), ...textsIn(inner, at)];
  });
}

function longIn(text: string): readonly Omit<Found, "pointer">[] {
  if (text.length <= TEXT_CHARS_MAX) return [];
  const said = `is ${text.length} characters long; who reads all of it?`;
  return [{ rule: "long_text", grave: false, said }];
}

// A description of one API that speaks of another's tools can turn the model against them.
function othersIn(
  text: string,
  tool: ToolDefinition,
  names: ReadonlyMap<string, ToolDefinition>,
): readonly Omit<Found, "pointer">[] {
  const words = text.match(/[a-z][a-z0-9]*(?:_+[a-z0-9]+)+/g) ?? [];
  const named = words.flatMap((word) => names.get(word) ?? []);
  const other = named.find((one) => connectorOf(one)?.name !== connectorOf(tool)?.name);
  if (other === undefined) return [];
  const said = `speaks of ${other.name}, another API's tool`;
  return [{ rule: "names_another", grave: false, said }];
}

function largeIn(tool: ToolDefinition): readonly Found[] {
  const { bytes, tokens } = costOf(tool);
  if (bytes <= TOOL_BYTES_MAX.told) return [];
  const said = `takes ${bytes} bytes of each agent's context, about ${tokens} tokens`;
  return [{ rule: "large", grave: bytes > TOOL_BYTES_MAX.taken, pointer: "", said }];
}

// Its API gives the list in pages, as the pinned contract says; the tool reads one, and nobody
// would know.
function onePageIn(tool: ToolDefinition): readonly Found[] {
  if (tool.kind !== "declarative" || !tool.effects.readOnly || tool.pin === undefined) return [];
  const { output, pagination, inputs } = tool;
  if (pagination !== undefined || !hasList(output) || saysMore(output)) return [];
  const { request, response } = tool.pin.slice;
  const isAsked = [...inputs.values()].some(({ as }) => isPositionName(as));
  const inPages =
    request.parameters.some((one) => one.in === "query" && isPositionName(one.name)) ||
    Object.values(response.statuses).some(({ headers }) => "link" in headers);
  if (isAsked || !inPages) return [];
  const said = "reads the first page of a list, and does not say so: see pagination";
  return [{ rule: "one_page", grave: false, pointer: "", said }];
}

function alikeIn(
  tool: ToolDefinition,
  others: readonly ToolDefinition[] = [],
  pointer: string,
  said: string,
): readonly Found[] {
  const names = others.flatMap(({ name }) => (name === tool.name ? [] : [name]));
  if (names.length === 0) return [];
  return [{ rule: "look_alike", grave: false, pointer, said: `${said} ${names.join(", ")}` }];
}

/** The name as somebody sees it who is in a hurry. */
function shapeOf(name: string): string {
  return name
    .replaceAll("_", "")
    .replaceAll("rn", "m")
    .replaceAll("vv", "w")
    .replaceAll("cl", "d")
    .replaceAll("0", "o")
    .replaceAll("5", "s")
    .replaceAll(/[1i]/g, "l");
}

function titleOf({ title }: ToolDefinition): string {
  return title.normalize("NFKC").toLowerCase().replaceAll(/\s+/g, " ").trim();
}
