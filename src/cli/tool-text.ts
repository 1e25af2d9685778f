// A tool as its approver reads it: every word that a model will read, what it does to whom, what it
// costs, and what is different since somebody approved it.
import type { ToolDefinition } from "../catalog/definition.ts";
import { costOf } from "../catalog/lint.ts";
import { approvedAs, changesSince } from "../catalog/lock.ts";
import type { Lock } from "../catalog/lock.ts";
import { isLocal, originIn } from "../config/connector.ts";
import type { Config } from "../config/load.ts";
import type { Schema } from "../contract/schema.ts";
import { saidOf } from "../contract/upstream.ts";
import { canonicalJson } from "../kernel/ids.ts";
import { own } from "../kernel/own.ts";
import { visibleText } from "../kernel/visible.ts";
import { paint } from "./output.ts";

export function toolText(tool: ToolDefinition, config: Config, lock: Lock): string {
  const { bytes, tokens } = costOf(tool);
  const { effects, target } = tool;
  const facts: readonly (readonly [string, string])[] = [
    ["does", doesOf(tool, config)],
    [
      "effects",
      Object.entries(effects)
        .map(([name, is]) => (is ? name : `not ${name}`))
        .join(", "),
    ],
    ["target", target === undefined ? "none" : `${target.kind}:{${target.argument}}`],
    ...(tool.kind === "generated" ? [] : ([["scopes", tool.scopes.join(" ")]] as const)),
    ...fixedOf(tool),
    ...pagesOf(tool),
    ...contractOf(tool),
    ["costs", `${bytes} bytes, about ${tokens} tokens, of each context that has it`],
    ["title", tool.title],
    ["says", tool.description],
  ];
  return [
    paint("bold", tool.name),
    ...facts.map(([name, text]) => field(name, text)),
    "  takes",
    ...propertiesOf(tool.input_schema, "    "),
    "  answers",
    ...propertiesOf(tool.output_schema, "    "),
    ...changesOf(tool, lock),
    "",
  ].join("\n");
}

function field(name: string, text: string): string {
  return linesOf(`  ${name.padEnd(8)} `, text).join("\n");
}

// What goes on in the next line is marked: a text cannot look like lines of ours.
function linesOf(margin: string, text: string): readonly string[] {
  const [first = "", ...more] = visibleText(text).split("\n");
  return [`${margin}${first}`, ...more.map((line) => `${" ".repeat(margin.length)}| ${line}`)];
}

function doesOf(tool: ToolDefinition, { connectors }: Config): string {
  if (tool.kind === "generated") return "runs code";
  const { name } = tool.connector;
  const at = `at ${name}, ${whereOf({ connectors }, name)}`;
  if (tool.kind === "declarative") return `${tool.method} ${tool.path} ${at}`;
  if (tool.kind === "upstream") return `calls the MCP tool ${tool.upstream} ${at}`;
  return `runs code that may ask for ${[...tool.uses].join(", ") || "nothing"} ${at}`;
}

function whereOf({ connectors }: Pick<Config, "connectors">, name: string): string {
  const connector = own(connectors, name);
  if (connector !== undefined && isLocal(connector)) return "in the sandbox";
  return originIn({ connectors }, name) ?? "which the configuration does not have";
}

function contractOf(tool: ToolDefinition): readonly (readonly [string, string])[] {
  if (tool.kind === "upstream") {
    const { endpoint, definition } = tool.pin;
    return [
      ["contract", `${definition.name} of ${saidOf(endpoint)}`],
      ["there", canonicalJson(definition)],
    ];
  }
  if (tool.kind !== "declarative" || tool.pin === undefined) return [];
  const { operation, server, source } = tool.pin.slice;
  const version = source.version === "" ? "" : ` (${source.version})`;
  return [["contract", `${operation} at ${server.join(", ")}, as ${source.from}${version} has it`]];
}

/** What goes along with each call, and no model sees. */
function fixedOf(tool: ToolDefinition): readonly (readonly [string, string])[] {
  if (tool.kind !== "declarative") return [];
  const places = Object.entries(tool.fixed).filter(([, values]) => Object.keys(values).length > 0);
  return places.map(([place, values]) => ["sends", `${place} ${canonicalJson(values)}`]);
}

function pagesOf(tool: ToolDefinition): readonly (readonly [string, string])[] {
  if (tool.kind !== "declarative" || tool.pagination === undefined) return [];
  if (tool.pagination === "first_page") return [["pages", "the first one, whatever there is"]];
  const { style, items, items_max, pages_max, ...rest } = tool.pagination;
  const most = `at most ${items_max} of ${items} in ${pages_max} pages`;
  return [["pages", `all, by ${style}: ${most}; ${canonicalJson(rest)}`]];
}

const STRUCTURE: ReadonlySet<string> = new Set([
  "type",
  "description",
  "properties",
  "required",
  "items",
  "$defs",
]);

/** Each property on a line, with all that its schema says. */
function propertiesOf(schema: Schema, margin: string): readonly string[] {
  const { properties = {}, required = [], items, $defs = {} } = schema;
  const named = [
    ...Object.entries(properties).map(([name, inner]) => {
      return { name: required.includes(name) ? name : `${name}?`, inner };
    }),
    ...Object.entries($defs).map(([name, inner]) => ({ name: `#/$defs/${name}`, inner })),
  ];
  const lines = named.flatMap(({ name, inner }) => [
    ...propertyOf(name, inner, margin),
    ...propertiesOf(inner, `${margin}  `),
  ]);
  if (items === undefined) return lines;
  return [...lines, ...propertyOf("each", items, margin), ...propertiesOf(items, `${margin}  `)];
}

function propertyOf(name: string, schema: Schema, margin: string): readonly string[] {
  const rest = Object.entries(schema).filter(([key]) => !STRUCTURE.has(key));
  const said = [
    ...(schema.type === undefined ? [] : [[schema.type].flat().join(" or ")]),
    ...rest.map(([key, value]) => `${key} ${JSON.stringify(value)}`),
  ];
  const about = schema.description === undefined ? "" : `: ${schema.description}`;
  return linesOf(margin, `${name} (${said.join(", ")})${about}`);
}

function changesOf(tool: ToolDefinition, lock: Lock): readonly string[] {
  const entry = own(lock.tools, tool.name);
  if (entry === undefined) return ["  nobody has approved it before"];
  const { by, at } = entry.approved;
  const before = approvedAs(lock, tool.name);
  if (before === undefined) return [`  ${by} approved it at ${at}; the lock does not say as what`];
  const changed = changesSince(before, tool);
  if (changed.length === 0) return [`  ${by} approved it like this at ${at}`];
  return [
    `  different since ${by} approved it at ${at}`,
    ...changed.flatMap(({ pointer, before: old, after }) => [
      `    ${pointer}`,
      ...(old === undefined ? [] : linesOf("      - ", shown(old)).map(red)),
      ...(after === undefined ? [] : linesOf("      + ", shown(after)).map(green)),
    ]),
  ];
}

const red = (line: string): string => paint("red", line);
const green = (line: string): string => paint("green", line);

function shown(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
