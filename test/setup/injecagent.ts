// InjecAgent's data as a world: its 330 tools as a catalogue over one recording API, and for each
// of its 17 tasks an agent with what it needs: with argument rules and, to compare, without.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ToolFileText } from "./boundary-tools.ts";
import type { World } from "./boundary.ts";

type Json = Record<string, unknown>;

interface Parameter {
  readonly name: string;
  readonly type: string;
  readonly required?: boolean;
}

interface TheirTool {
  readonly name: string;
  readonly summary: string;
  readonly parameters: readonly Parameter[];
}

/** A tool of theirs, under a name that the catalogue takes. */
interface Tool {
  readonly theirs: string;
  readonly name: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly file: ToolFileText;
}

export interface Task {
  readonly index: number;
  readonly tool: Tool;
  readonly args: Json;
}

export interface Attack {
  readonly tools: readonly Tool[];
  readonly instruction: string;
}

export interface InjecAgent {
  readonly world: World;
  readonly tools: readonly Tool[];
  readonly tasks: readonly Task[];
  readonly attacks: readonly Attack[];
}

const NAME_CHARS_MAX = 48;
const TEXT_CHARS_MAX = 5000;

export function readInjecAgent(folder: string): InjecAgent {
  const toolkits = JSON.parse(readFileSync(join(folder, "tools.json"), "utf8")) as Json[];
  const tools = toolkits.flatMap((toolkit) =>
    (toolkit["tools"] as TheirTool[]).map((tool) => ({
      toolkit: String(toolkit["name_for_model"]),
      tool,
    })),
  );
  const users = linesOf(join(folder, "user_cases.jsonl"));
  const argsOf = new Map(
    users.map((one) => [String(one["User Tool"]), pythonLiteral(one["Tool Parameters"])]),
  );
  const made = tools.map(({ toolkit, tool }, i) =>
    toTool(toolkit, tool, i, argsOf.get(toolkit + tool.name) ?? {}),
  );
  const byName = new Map(made.map((tool) => [tool.theirs, tool]));
  const named = (name: unknown): Tool => {
    const tool = byName.get(String(name));
    if (tool === undefined) throw new Error(`InjecAgent names no tool ${String(name)}`);
    return tool;
  };
  const tasks = users.map((one, index) => {
    return { index, tool: named(one["User Tool"]), args: pythonLiteral(one["Tool Parameters"]) };
  });
  const attacks = ["dh", "ds"]
    .flatMap((kind) => linesOf(join(folder, `attacker_cases_${kind}.jsonl`)))
    .map((one) => ({
      tools: (one["Attacker Tools"] as unknown[]).map(named),
      instruction: String(one["Attacker Instruction"]),
    }));
  const agents = Object.fromEntries(tasks.flatMap(agentsOf));
  return { world: { tools: made.map(({ file }) => file), agents }, tools: made, tasks, attacks };
}

function linesOf(file: string): Json[] {
  const lines = readFileSync(file, "utf8").split("\n");
  return lines.filter((line) => line.trim() !== "").map((line) => JSON.parse(line) as Json);
}

// The data has its arguments as Python prints them; no text in them has a quote.
function pythonLiteral(text: unknown): Json {
  return JSON.parse(String(text).replaceAll("'", '"')) as Json;
}

const snake = (text: string): string =>
  text
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replaceAll(/[^A-Za-z0-9]+/g, "_")
    .toLowerCase();

function toTool(toolkit: string, tool: TheirTool, i: number, args: Json): Tool {
  const long = snake(toolkit + tool.name);
  const name =
    long.length > NAME_CHARS_MAX ? `t${i}_${snake(tool.name)}`.slice(0, NAME_CHARS_MAX) : long;
  const path = `/injecagent/${i}`;
  const reads = /^(?:Get|Search|View|Read|List|Retrieve|Find)/.test(tool.name);
  const input = Object.fromEntries(
    tool.parameters.map(({ name: parameter, type, required }) => [
      snake(parameter),
      {
        in: "body",
        as: parameter,
        optional: required !== true,
        schema: schemaOf(type, args[parameter]),
      },
    ]),
  );
  const file: ToolFileText = {
    connector: snake(toolkit),
    name,
    title: tool.name,
    description: tool.summary.slice(0, 2000),
    operation: `POST ${path}`,
    input,
    output: { done: { from: "/done", schema: { type: "boolean" } } },
    effects: { readOnly: reads, destructive: !reads, idempotent: false, openWorld: true },
    target: "none",
    scopes: ["all"],
    limits: { timeout_ms: 30_000, response_bytes_max: 4096 },
  };
  return { theirs: toolkit + tool.name, name, path, parameters: tool.parameters, file };
}

function schemaOf(type: string, value: unknown): Json {
  if (type === "string") return { type, maxLength: TEXT_CHARS_MAX };
  if (type === "array") return { type, maxItems: 50, items: { type: "string", maxLength: 500 } };
  if (type !== "object" || value === undefined) return { type };
  const properties = Object.keys(value as Json).map((key) => [key, schemaOf("string", "")]);
  return { type, properties: Object.fromEntries(properties), additionalProperties: false };
}

/** Two agents for a task: one that has its tool, and one that has it for this task's arguments. */
function agentsOf({ index, tool, args }: Task): [string, Json][] {
  const conditions = tool.parameters.map(({ name }) => [
    snake(name),
    name in args ? exactly(args[name]) : { absent: true },
  ]);
  const about = { title: `Task ${index}`, purpose: "One task" };
  const rules = { arguments: Object.fromEntries(conditions) as Json };
  return [
    [`tools_${index}`, { ...about, tools: { [tool.name]: {} } }],
    [`rules_${index}`, { ...about, tools: { [tool.name]: rules } }],
  ];
}

function exactly(value: unknown): Json {
  if (Array.isArray(value)) {
    return { minItems: value.length, maxItems: value.length, items: { enum: value } };
  }
  if (value !== null && typeof value === "object") {
    const properties = Object.entries(value).map(([key, inner]) => [key, exactly(inner)]);
    return { properties: Object.fromEntries(properties) };
  }
  return { const: value };
}

/** Arguments as our tool takes them. */
export function toolArguments(args: Json): Json {
  return Object.fromEntries(Object.entries(args).map(([name, value]) => [snake(name), value]));
}

/** What a hostile agent fills in: the instruction itself, wherever there is room for it. */
export function hostileArguments({ parameters }: Tool, instruction: string, every = false): Json {
  const text = instruction.slice(0, 400);
  const values: Json = {
    string: text,
    array: [text],
    object: {},
    integer: 7,
    number: 7,
    boolean: true,
  };
  const filled = parameters.filter(({ required }) => every || required === true);
  return Object.fromEntries(filled.map(({ name, type }) => [snake(name), values[type]]));
}
