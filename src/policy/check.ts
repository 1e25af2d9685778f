// What stops the start: rules that lead nowhere in this catalogue, or that could not mean what they
// say. A limit that somebody believes in, and that is none, is worse than no limit.
import { connectorOf } from "../catalog/definition.ts";
import type { Catalog, ToolDefinition } from "../catalog/definition.ts";
import type { ConditionFile, GrantFile, HoursFile, SeenFile } from "../config/rules.ts";
import { ConfigError } from "../config/problem.ts";
import type { Problem, Report } from "../config/problem.ts";
import type { Schema } from "../contract/schema.ts";
import { SchemaView } from "../contract/schema-view.ts";
import { pointerTo, tokensOf } from "../kernel/json.ts";
import { own } from "../kernel/own.ts";
import { compilePattern, kindsOf, valuesIn } from "./condition.ts";
import { compileHours } from "./hours.ts";
import type { Lists } from "./lists.ts";
import { grantsOf, toolsIn } from "./selection.ts";
import type { Selection } from "./selection.ts";
import { OWN_CLAIMS } from "./who.ts";

/** Throws `ConfigError` with every mistake. */
export function checkPolicy(lists: Lists, catalog: Catalog): void {
  const { config } = lists;
  const problems = new Map<string, Problem>();
  const report: Report = (pointer, message, mend) => {
    const line = Number(config.place(pointer).split(":").at(-1));
    const problem = { file: config.file, pointer, line, message, mend };
    // One rule of a toolset may be wrong for each of its tools: once is enough.
    if (!problems.has(pointer + message)) problems.set(pointer + message, problem);
  };
  const check = new Check(lists, catalog, report);
  for (const [agent, selection] of lists.agents) check.agent(agent, selection);
  for (const [role, byAgent] of lists.roles) {
    for (const [agent, selection] of byAgent) check.role(role, agent, selection);
  }
  checkConnectors(lists, catalog, report);
  if (problems.size > 0) throw new ConfigError([...problems.values()]);
}

class Check {
  private readonly lists: Lists;
  private readonly catalog: Catalog;
  private readonly report: Report;
  private readonly claims: ReadonlySet<string>;

  constructor(lists: Lists, catalog: Catalog, report: Report) {
    this.lists = lists;
    this.catalog = catalog;
    this.report = report;
    const issuers = Object.values(lists.config.issuers);
    const attributes = issuers.flatMap(({ claims }) => Object.keys(claims.attributes));
    this.claims = new Set([...OWN_CLAIMS, ...attributes].map((name) => `principal.${name}`));
  }

  agent(_name: string, selection: Selection): void {
    for (const { selector, pointer } of selection.bySelector.values()) {
      this.selector(selector, pointer);
    }
    this.everyList(selection);
  }

  role(_role: string, agent: string, selection: Selection): void {
    const its = this.lists.agents.get(agent);
    for (const { selector, pointer } of selection.bySelector.values()) {
      const tool = this.catalog.tools.get(selector);
      if (tool === undefined) this.selector(selector, pointer);
      else if (its !== undefined && grantsOf(its, tool).length === 0) {
        this.report(pointer, `agent ${agent} has no such tool`, "list it there, or remove it here");
      }
    }
    this.everyList(selection);
  }

  private everyList(selection: Selection): void {
    for (const [selector, pointer] of selection.excluded) this.selector(selector, pointer);
    for (const { file, pointer } of selection.bySelector.values()) this.hours(file, pointer);
    const hasRules = [...selection.bySelector.values()].some(
      ({ file }) => file.arguments !== undefined || file.rules !== undefined,
    );
    if (!hasRules) return;
    for (const tool of toolsIn(selection, this.catalog)) {
      for (const { file, pointer } of grantsOf(selection, tool)) this.rules(file, pointer, tool);
    }
  }

  private selector(selector: string, pointer: string): void {
    const [kind = "", toolset] = selector.split(":");
    if (kind === "toolset" && toolset !== undefined && !this.catalog.toolsets.has(toolset)) {
      const known = [...this.catalog.toolsets].toSorted().join(", ");
      this.report(pointer, `no such toolset in the catalogue`, `name one of: ${known}`);
    }
    if (toolset !== undefined || selector === "*") return;
    const { tools, drafts, absent } = this.catalog;
    // A draft is not there, and neither is a promise of it an error: it may be approved later. So
    // is a tool that nobody approved, or whose isolation this deployment does not have.
    if (tools.has(kind) || drafts.includes(kind) || absent.has(kind)) return;
    const mend = `write ${kind}.tool.yaml or ${kind}.tool.ts, or remove it`;
    this.report(pointer, "no such tool in the catalogue", mend);
  }

  private hours({ hours, rules = [] }: GrantFile, pointer: string): void {
    const check = (file: HoursFile | undefined, at: string): void => {
      if (file === undefined || compileHours(file) !== undefined) return;
      this.report(`${at}/hours/zone`, "no such time zone", "name one such as UTC or Europe/Paris");
    };
    check(hours, pointer);
    rules.forEach((rule, i) => check(rule.hours, `${pointer}/rules/${i}`));
  }

  private rules(file: GrantFile, pointer: string, tool: ToolDefinition): void {
    this.named(file.arguments ?? {}, `${pointer}/arguments`, tool, true);
    (file.rules ?? []).forEach((rule, i) => {
      this.named(rule.when, `${pointer}/rules/${i}/when`, tool, false);
    });
  }

  private named(
    conditions: Readonly<Record<string, ConditionFile>>,
    pointer: string,
    tool: ToolDefinition,
    wantsYes: boolean,
  ): void {
    for (const [name, condition] of Object.entries(conditions)) {
      const at = pointerTo(pointer, name);
      const schema = tool.inputs.get(name)?.schema;
      if (schema === undefined) {
        const known = [...tool.inputs.keys()].join(", ") || "(none)";
        this.report(at, `${tool.name} has no argument of this name`, `name one of: ${known}`);
      } else this.condition(condition, at, new SchemaView(schema, schema.$defs), wantsYes);
    }
  }

  /** `wantsYes`: whether a yes allows more than a no; only there may what was seen decide. */
  private condition(file: ConditionFile, at: string, schema: SchemaView, wantsYes: boolean): void {
    this.kind(file, at, schema);
    this.values(file, at, schema);
    this.pattern(file, at);
    for (const [key, claim] of [
      ["equals", file.equals],
      ["member_of", file.member_of],
    ] as const) {
      if (claim === undefined || this.claims.has(claim)) continue;
      const mend = `name one of: ${[...this.claims].join(", ")}; or add it to claims.attributes`;
      this.report(`${at}/${key}`, "no issuer's tokens say this", mend);
    }
    if (file.items !== undefined && schema.items !== undefined) {
      this.condition(file.items, `${at}/items`, schema.items, wantsYes);
    }
    for (const [name, below] of Object.entries(file.properties ?? {})) {
      const inner = schema.property(name);
      const here = pointerTo(`${at}/properties`, name);
      if (inner !== undefined) this.condition(below, here, inner, wantsYes);
      else this.report(here, "the tool's schema has no such property", "name one that it has");
    }
    if (file.not !== undefined) this.condition(file.not, `${at}/not`, schema, !wantsYes);
    (file.seen_in ?? []).forEach((seen, i) => {
      const here = `${at}/seen_in/${i}`;
      if (!wantsYes) {
        const message = "this would allow what was not read, and what was read may be forgotten";
        this.report(here, message, "under `when`, write it under `not`; under arguments, without");
      }
      this.seen(seen, here, wantsYes);
    });
  }

  private kind(file: ConditionFile, at: string, schema: SchemaView): void {
    const types = typesOf(schema);
    for (const kinds of kindsOf(file)) {
      if (types.every((type) => kinds.includes(type))) continue;
      const said = `speaks of ${kinds.join(" or ")}, and the argument may be`;
      const mend = "use the keywords that fit the argument's type";
      this.report(at, `${said} ${types.join(" or ")}`, mend);
    }
  }

  private values(file: ConditionFile, at: string, schema: SchemaView): void {
    const values = valuesIn(file);
    if (values === undefined) return;
    if (values.length === 0)
      this.report(at, "no value fits both enum and const", "keep one of them");
    for (const value of values) {
      if (typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)) {
        this.report(
          at,
          `${value} is beyond 2^53: other numbers look the same`,
          "use another value",
        );
      } else if (!typesOf(schema, true).includes(typeOf(value))) {
        const message = `${JSON.stringify(value)} is no ${typesOf(schema).join(" or ")}`;
        this.report(at, message, "the argument can never be this: correct it");
      }
    }
  }

  private pattern({ pattern }: ConditionFile, at: string): void {
    if (pattern === undefined) return;
    const compiled = compilePattern(pattern, false);
    if (typeof compiled !== "string") return;
    const mend = "write it as RE2 has it: no look-around, no back-references, no huge repetition";
    this.report(`${at}/pattern`, compiled, mend);
  }

  private seen(file: SeenFile, at: string, wantsYes: boolean): void {
    const tool = this.catalog.tools.get(file.tool);
    if (tool === undefined) {
      if (this.catalog.absent.has(file.tool) || this.catalog.drafts.includes(file.tool)) return;
      return this.report(`${at}/tool`, "no such tool in the catalogue", "name one that answers it");
    }
    const list =
      file.each === undefined ? tool.output_schema : schemaAt(tool.output_schema, file.each);
    const row = file.each === undefined ? list : list?.items;
    if (row === undefined) {
      return this.report(`${at}/each`, `${file.tool} answers no such list`, "see its output");
    }
    const field = schemaAt(row, file.field);
    if (field === undefined || !typesOf(new SchemaView(field), true).some(isScalarType)) {
      this.report(`${at}/field`, `${file.tool} answers no such value`, "see its output");
    }
    for (const [pointer, condition] of Object.entries(file.where ?? {})) {
      const here = pointerTo(`${at}/where`, pointer);
      const schema = schemaAt(row, pointer);
      if (schema !== undefined) this.condition(condition, here, new SchemaView(schema), wantsYes);
      else this.report(here, `${file.tool} answers no such value`, "see its output");
    }
  }
}

const isScalarType = (type: string): boolean =>
  ["string", "number", "integer", "boolean"].includes(type);

// Null is what a list of types may add to say "or nothing": conditions are unclear to it.
function typesOf({ types }: SchemaView, withNull = false): readonly string[] {
  const expanded = [...types].flatMap((one) =>
    one === "number" && withNull ? ["number", "integer"] : [one],
  );
  return withNull ? expanded : expanded.filter((one) => one !== "null");
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

function schemaAt(schema: Schema, pointer: string): Schema | undefined {
  let here: Schema | undefined = schema;
  for (const key of tokensOf(pointer)) {
    here = own(here?.properties ?? {}, key);
  }
  return here;
}

function checkConnectors({ config }: Lists, catalog: Catalog, report: Report): void {
  const used = new Set([...catalog.tools.values()].map((tool) => connectorOf(tool)?.name));
  for (const connector of used) {
    if (connector === undefined || Object.hasOwn(config.connectors, connector)) continue;
    const mend = `add /connectors/${connector} with its origin and delegation`;
    report("/connectors", `the catalogue uses the connector ${connector}`, mend);
  }
  for (const tool of catalog.tools.values()) {
    const { name, kind } = tool;
    const at = connectorOf(tool)?.name;
    const connector = at === undefined ? undefined : own(config.connectors, at);
    if (connector === undefined) continue;
    if ((kind === "upstream") === (connector.mcp !== undefined)) continue;
    const what = kind === "upstream" ? "a tool of an MCP server" : "no tool of an MCP server";
    const mend = kind === "upstream" ? "name the server with mcp" : "name the API with origin";
    report(`/connectors/${at}`, `${name} is ${what}`, mend);
  }
  for (const connector of Object.keys(config.connectors)) {
    // Of its tools none may be approved yet.
    if (catalog.toolsets.has(connector)) continue;
    const mend = `write tools/${connector}/connector.yaml and a tool, or remove it`;
    report(`/connectors/${connector}`, "the catalogue does not have this connector", mend);
  }
}
