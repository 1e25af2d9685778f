// A selection: the tools that one list, an agent's or a role's, selects, and with which grants.
// Each tool costs three look-ups, however long the list and however large the catalogue is.
import { connectorOf } from "../catalog/definition.ts";
import type { Catalog, ToolDefinition } from "../catalog/definition.ts";
import type { GrantFile } from "../config/rules.ts";
import { pointerTo } from "../kernel/json.ts";
import { compileGrant } from "./grant.ts";
import type { Grant } from "./grant.ts";

/** As the configuration writes it: an agent's, or one role's for one agent. */
export type ListFile =
  | "all"
  | readonly string[]
  | {
      readonly tools: "all" | readonly string[] | Readonly<Record<string, GrantFile>>;
      readonly exclude: readonly string[];
      readonly read_only: boolean;
    };

export interface Selection {
  /** Where the list stands. */
  readonly pointer: string;
  readonly bySelector: ReadonlyMap<string, Grant>;
  /** Selector -> where it is excluded. */
  readonly excluded: ReadonlyMap<string, string>;
  /** Where it says so. */
  readonly read_only: string | undefined;
}

export function compileSelection(
  file: ListFile,
  pointer: string,
  place: (pointer: string) => string,
): Selection {
  const isObject = typeof file === "object" && !Array.isArray(file) && "tools" in file;
  const tools = isObject ? file.tools : (file as "all" | readonly string[]);
  const at = isObject ? pointerTo(pointer, "tools") : pointer;
  const exclude = isObject ? file.exclude : [];
  return Object.freeze({
    pointer: at,
    bySelector: new Map(grantsIn(tools, at, place).map((grant) => [grant.selector, grant])),
    excluded: new Map(exclude.map((one, i) => [one, `${pointer}/exclude/${i}`])),
    read_only: isObject && file.read_only ? pointerTo(pointer, "read_only") : undefined,
  });
}

function grantsIn(
  tools: "all" | readonly string[] | Readonly<Record<string, GrantFile>>,
  at: string,
  place: (pointer: string) => string,
): Grant[] {
  if (tools === "all") return [compileGrant({}, ALL, at, place)];
  if (Array.isArray(tools)) {
    return tools.map((one: string, i) => compileGrant({}, one, pointerTo(at, String(i)), place));
  }
  return Object.entries(tools as Readonly<Record<string, GrantFile>>).map(([one, grant]) =>
    compileGrant(grant, one, pointerTo(at, one), place),
  );
}

/** `"all"`, apart from a tool of that name. */
export const ALL = "*";

/** Whether a selector may name more than one tool. */
export function isWide(selector: string): boolean {
  return selector === ALL || selector.includes(":");
}

export function effectOf({ effects }: ToolDefinition): "read" | "write" | "destroy" {
  if (effects.readOnly) return "read";
  return effects.destructive ? "destroy" : "write";
}

const selectors = new WeakMap<ToolDefinition, readonly string[]>();

/** Every way in which a list can name this tool, the most exact first. */
function selectorsOf(tool: ToolDefinition): readonly string[] {
  const known = selectors.get(tool);
  if (known !== undefined) return known;
  const made = namesOf(tool);
  selectors.set(tool, made);
  return made;
}

function namesOf(tool: ToolDefinition): readonly string[] {
  const toolset = connectorOf(tool)?.name;
  const set = toolset === undefined ? [] : [`toolset:${toolset}`];
  return [tool.name, ...set, `effect:${effectOf(tool)}`, ALL];
}

/** What the list grants of this tool; empty where it does not select it. */
export function grantsOf(selection: Selection, tool: ToolDefinition): readonly Grant[] {
  const found: Grant[] = [];
  for (const one of selectorsOf(tool)) {
    const grant = selection.bySelector.get(one);
    if (grant !== undefined) found.push(grant);
  }
  return found;
}

/** Where the list says that it is not to be had, whatever else it says. */
export function denialOf(selection: Selection, tool: ToolDefinition): string | undefined {
  if (selection.read_only !== undefined && !tool.effects.readOnly) return selection.read_only;
  if (selection.excluded.size === 0) return undefined;
  for (const one of selectorsOf(tool)) {
    const at = selection.excluded.get(one);
    if (at !== undefined) return at;
  }
  return undefined;
}

/** Every tool of the catalogue that the list may select, each once. */
export function* toolsIn(selection: Selection, catalog: Catalog): Iterable<ToolDefinition> {
  if ([...selection.bySelector.keys()].some(isWide)) return yield* catalog.tools.values();
  for (const name of selection.bySelector.keys()) {
    const tool = catalog.tools.get(name);
    if (tool !== undefined) yield tool;
  }
}
