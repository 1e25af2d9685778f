// The routes of a service as an OpenAPI 3.1 document: what the import of documents reads.
import { lineOf } from "./ast.ts";
import type { Placed } from "./flatten.ts";
import type { Machine } from "./machine.ts";
import { templatesOf } from "./paths.ts";
import type { PathParameter, Template } from "./paths.ts";
import type { Place } from "./reason.ts";
import { jsonOf, schemaOf } from "./shape.ts";
import { partsOf } from "./parts.ts";
import type { Named } from "./parts.ts";
import type { Asks, At, Json, Value } from "./values.ts";

export interface Described {
  readonly document: Json;
  /** `GET /x` -> where it stands, and what is to be said of it. */
  readonly places: ReadonlyMap<string, Placement>;
}

export interface Placement extends Place {
  readonly notes: readonly string[];
  /** What of its own shapes could not be read. */
  readonly unread: readonly string[];
}

/** In a document that was written by doorless, and that it may write again. */
export const MARK = "x-doorless-code";
/** Of one operation; a tool that is a hundredth of it is too large for an agent. */
const VALUES_MAX = 20_000;
const DEPTH_MAX = 120;
const METHODS_WITH_BODY = new Set(["POST", "PUT", "PATCH"]);

export function describe(machine: Machine, title: string, placed: readonly Placed[]): Described {
  const paths: Record<string, Record<string, Json>> = {};
  const places = new Map<string, Placement>();
  for (const { route, path, notes } of placed) {
    const { method, at } = route;
    const templates = templatesOf(path);
    if (typeof templates === "string") {
      machine.say(templates, at, `${method} ${path}`);
      continue;
    }
    const { file } = at.scope.source;
    const place = { file, line: lineOf(at.scope.source, at.node) };
    for (const template of templates) {
      const key = `${method} ${template.template}`;
      const first = places.get(key);
      if (first !== undefined) {
        if (first.file !== file || first.line !== place.line) {
          machine.say("route_twice", at, `${key} (${first.file}:${first.line})`);
        }
        continue;
      }
      const own = new Operation(machine, method, template, route.asks, at);
      const item = (paths[template.template] ??= {});
      machine.heard = (words) => own.unread.push(words);
      item[method.toLowerCase()] = fitted(machine, own.document(path));
      machine.heard = undefined;
      const said = [...new Set([...notes, ...own.notes])];
      places.set(key, { ...place, notes: said, unread: [...new Set(own.unread)] });
    }
  }
  const document = {
    openapi: "3.1.0",
    [MARK]: "written by `doorless tools import code`; what is changed here is lost",
    info: { title, version: "0" },
    paths,
    components: { schemas: sharedSchemas(machine) },
  };
  return { document, places };
}

/** With references as the document has them, and no larger than one operation can be. */
function fitted(machine: Machine, node: Json): Json {
  const room: Room = { machine, values: VALUES_MAX };
  const whole = rewritten(node, room, 0) as Json;
  if (room.values < 0) machine.cut("a shape is larger than what is kept");
  return whole;
}

class Operation {
  readonly notes: string[] = [];
  readonly unread: string[] = [];
  private readonly machine: Machine;
  private readonly method: string;
  private readonly template: Template;
  private readonly asks: Asks;
  private readonly at: At;

  constructor(machine: Machine, method: string, template: Template, asks: Asks, at: At) {
    this.machine = machine;
    this.method = method;
    this.template = template;
    this.asks = asks;
    this.at = at;
  }

  document(path: string): Json {
    const { words, deprecated } = this.asks;
    const tag = words.tags[0] ?? path.split("/").find((one) => /^[A-Za-z][\w-]*$/.test(one));
    const body = this.body();
    return {
      ...(words.id === undefined ? {} : { operationId: words.id }),
      ...(words.summary === undefined ? {} : { summary: words.summary }),
      ...(words.description === undefined ? {} : { description: words.description }),
      ...(tag === undefined ? {} : { tags: [tag] }),
      ...(deprecated ? { deprecated } : {}),
      parameters: [...this.inPath(), ...this.inQuery(), ...this.inHeaders()],
      ...(body === undefined ? {} : { requestBody: body }),
      responses: this.responses(),
    };
  }

  private inPath(): Json[] {
    const named = partsOf(this.machine, this.asks, "params");
    return this.template.parameters.map(({ name, pattern }: PathParameter) => {
      const known = named.find((one) => one.name === name);
      const text = pattern === undefined ? {} : { pattern: `^(?:${pattern})$` };
      const schema = known?.schema ?? { type: "string", ...text };
      return parameter({ name, required: true, description: known?.description, schema }, "path");
    });
  }

  private inQuery(): Json[] {
    const checked = partsOf(this.machine, this.asks, "query");
    if (checked.length > 0) return checked.map((one) => parameter(one, "query"));
    // No shape, but the code reads these.
    const read = this.asks.named("query");
    if (read.length > 0) this.notes.push(`no type is said of ${read.join(", ")}`);
    if (this.asks.isHandedOn("query")) this.notes.push("it may read more of the query");
    return read.map((name) => ({ name, in: "query", required: false, schema: { type: "string" } }));
  }

  private inHeaders(): Json[] {
    return partsOf(this.machine, this.asks, "headers").map((one) => parameter(one, "header"));
  }

  private body(): Json | undefined {
    const isSent = METHODS_WITH_BODY.has(this.method);
    const checked = this.asks.checked("body").filter(({ schema }) => !isNothing(schema));
    const known = checked.find(
      ({ schema }) => schema.kind === "schema" || schema.kind === "record",
    );
    const media = this.asks.media ?? "application/json";
    if (known !== undefined) {
      const schema = schemaOf(this.machine, known.schema, known.at);
      return { required: isSent, content: { [media]: { schema } } };
    }
    const [unread] = checked;
    if (unread !== undefined) this.machine.say("schema_unread", unread.at, "the body");
    const names = this.asks.named("body");
    if (unread === undefined && names.length === 0 && !this.asks.touches("body")) {
      if (isSent && !this.asks.isHandled) this.unsaid();
      return undefined;
    }
    if (names.length === 0 || this.asks.isHandedOn("body")) this.unsaid();
    if (names.length > 0) this.notes.push(`no type is said of ${names.join(", ")} in the body`);
    const properties = Object.fromEntries(names.map((name) => [name, {}]));
    return { required: isSent, content: { [media]: { schema: { type: "object", properties } } } };
  }

  private unsaid(): void {
    this.machine.say("body_unsaid", this.at, `${this.method} ${this.template.template}`);
  }

  private responses(): Json {
    const { answers } = this.asks;
    if (answers.size === 0) {
      this.notes.push("the code does not say what it answers");
      return { default: { description: "The code does not say." } };
    }
    return Object.fromEntries(
      [...answers].map(([status, { schema, at }]) => {
        if (schema === undefined || at === undefined || isNothing(schema)) {
          return [status, { description: "" }];
        }
        const json = schemaOf(this.machine, schema, at);
        const isEmpty = json["type"] === "null";
        const content = { "application/json": { schema: json } };
        return [status, isEmpty ? { description: "" } : { description: "", content }];
      }),
    );
  }
}

function isNothing(value: Value): boolean {
  return value.kind === "plain" && value.value === undefined;
}

function parameter({ name, required, description, schema }: Named, place: string): Json {
  const words = description === undefined ? {} : { description };
  return { name, in: place, required: required || place === "path", ...words, schema };
}

function sharedSchemas(machine: Machine): Json {
  const entries = [...machine.shared].map(([id, value]) => {
    const at = machine.tables.get(value.kind === "record" ? (value.node ?? NONE) : NONE)?.at;
    const known = at === undefined ? jsonOf(value) : schemaOf(machine, value, at);
    const json = typeof known === "object" && known !== null ? (known as Json) : {};
    return [keyOf(id), fitted(machine, json)] as const;
  });
  return Object.fromEntries(entries);
}

const NONE = { type: "", start: 0, end: 0 };

function keyOf(id: string): string {
  return id.replaceAll(/[^\w.-]/g, "_");
}

interface Room {
  readonly machine: Machine;
  values: number;
}

/**
 * References by `$id` become the document's own; ids of schemas themselves are gone. A shape that
 * is put together of itself again and again has no end as JSON: it ends where the room does.
 */
function rewritten(node: unknown, room: Room, depth: number): unknown {
  const { machine } = room;
  if (typeof node !== "object" || node === null) return node;
  room.values -= 1;
  if (room.values < 0 || depth > DEPTH_MAX) return {};
  if (Array.isArray(node)) return node.map((one) => rewritten(one, room, depth + 1));
  const entries = Object.entries(node).flatMap(([key, value]): [string, unknown][] => {
    if (key === "__proto__" || (key === "$id" && typeof value === "string")) return [];
    if (key === "$ref" && typeof value === "string") return [[key, referenceTo(value, machine)]];
    return [[key, rewritten(value, room, depth + 1)]];
  });
  return Object.fromEntries(entries);
}

function referenceTo(reference: string, machine: Machine): string {
  const [id = "", within = ""] = reference.split("#", 2);
  const key = machine.shared.has(id) ? id : machine.shared.has(reference) ? reference : undefined;
  if (key === undefined || key === "") return reference;
  return `#/components/schemas/${keyOf(key)}${key === reference ? "" : within}`;
}
