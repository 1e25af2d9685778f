// Fastify's own: plugins and their prefixes, `route({ … })`, and the schemas that stand in options.
import { filesIn, folderIn, isFiltered, optionsOf } from "./autoload.ts";
import type { PluginFile } from "./autoload.ts";
import type { Machine } from "./machine.ts";
import { mountRouter, unwrapped } from "./mount.ts";
import { newChild } from "./routers.ts";
import { list, NOTHING, record, textOf, UNKNOWN } from "./values.ts";
import type { Asks, At, Part, RouterAt, Value } from "./values.ts";

export function registerPlugin(
  machine: Machine,
  of: RouterAt,
  args: readonly Value[],
  at: At,
): void {
  const options = args[1] ?? record();
  const plugin = unwrapped(args[0] ?? UNKNOWN);
  const prefix = prefixIn(options);
  if (plugin.kind === "function") {
    const child = newChild(machine, of.router);
    mountRouter(machine, of.router, prefix, child.router, at);
    machine.call(plugin, [child, options], at);
  } else if (plugin.kind !== "library") machine.say("mount_unknown", at, "");
  else if (/autoload/.test(plugin.from)) registerFolder(machine, of, options, at);
  else if (plugin.from === "fastify-plugin") {
    // Such a plugin works on the app itself, whatever its prefix.
    const inner = unwrapped(plugin.args[0] ?? UNKNOWN);
    if (inner.kind === "function") machine.call(inner, [of, options], at);
    else if (inner.kind !== "library") machine.say("mount_unknown", at, "");
  } else if (prefix !== undefined) machine.say("mount_elsewhere", at, plugin.from);
}

function registerFolder(machine: Machine, of: RouterAt, options: Value, at: At): void {
  const folder = folderIn(options);
  const files = filesIn(machine, options, folder);
  if (files === undefined || isFiltered(options)) machine.say("plugins_from_folder", at, folder);
  for (const one of files ?? []) registerFile(machine, of, one, at);
}

function registerFile(machine: Machine, of: RouterAt, one: PluginFile, at: At): void {
  const module = machine.load(one.file, at);
  const plugin = unwrapped(module);
  // A file that exports nothing is no plugin; a package's has routes only where it is told so.
  const isWrapped = plugin.kind === "library" && plugin.from === "fastify-plugin";
  if (plugin.kind !== "function" && !isWrapped) return;
  registerPlugin(machine, of, [plugin, optionsOf(one, module, plugin)], at);
}

function prefixIn(options: Value): Value | undefined {
  if (options.kind !== "record") return options === NOTHING ? undefined : UNKNOWN;
  return options.fields.get("prefix") ?? (options.open ? UNKNOWN : undefined);
}

export interface RouteOptions {
  readonly methods: readonly Value[];
  readonly path: Value;
  readonly schema: Value | undefined;
  readonly handlers: readonly Value[];
}

/** Of `route({ method, url, schema, handler })`. */
export function routeOptions(value: Value): RouteOptions | undefined {
  if (value.kind !== "record") return undefined;
  const { fields, open } = value;
  const path = fields.get("url") ?? fields.get("path");
  const method = fields.get("method");
  if (path === undefined && method === undefined) return undefined;
  const named = method ?? UNKNOWN;
  return {
    methods: named.kind === "list" && !named.open ? named.items : [named],
    path: path ?? UNKNOWN,
    schema: fields.get("schema") ?? (open ? UNKNOWN : undefined),
    handlers: [fields.get("handler") ?? NOTHING],
  };
}

const PARTS: Readonly<Record<string, Part>> = {
  params: "params",
  querystring: "query",
  query: "query",
  headers: "headers",
  body: "body",
};

/** A route's `schema` option. */
export function schemaInto(machine: Machine, asks: Asks, schema: Value, at: At): void {
  if (schema.kind !== "record" || schema.open) machine.say("schema_unread", at, "schema");
  if (schema.kind !== "record") return;
  for (const [name, value] of schema.fields) {
    const part = Object.hasOwn(PARTS, name) ? PARTS[name] : undefined;
    if (part !== undefined) asks.check(part, value, at);
    else if (name === "response") answersInto(machine, asks, value, at);
  }
  wordsInto(asks, schema.fields);
}

export function wordsInto(asks: Asks, fields: ReadonlyMap<string, Value>): void {
  const { words } = asks;
  words.summary = textOf(fields.get("summary")) ?? words.summary;
  words.description = textOf(fields.get("description")) ?? words.description;
  words.id = textOf(fields.get("operationId")) ?? words.id;
  const tags = fields.get("tags") ?? list([]);
  const known = tags.kind === "list" ? tags.items.map(textOf) : [];
  words.tags = known.filter((one) => one !== undefined);
  const deprecated = fields.get("deprecated");
  asks.deprecated = deprecated?.kind === "plain" && deprecated.value === true;
}

export function answersInto(machine: Machine, asks: Asks, value: Value, at: At): void {
  if (value.kind !== "record") {
    machine.say("schema_unread", at, "response");
    return;
  }
  for (const [status, answer] of value.fields) {
    const schema = answer.kind === "record" ? inContent(answer) : answer;
    if (!/^[1-5](?:\d\d|xx)$|^default$/i.test(status)) continue;
    const key = status.toUpperCase().replace("DEFAULT", "default");
    asks.answers.set(key, schema === undefined ? {} : { schema, at });
  }
}

/** The schema in `{ content: { "application/json": { schema } } }`, or the record itself. */
export function inContent(value: Value & { readonly kind: "record" }): Value | undefined {
  const content = value.fields.get("content");
  if (content?.kind !== "record") return value.fields.has("content") ? UNKNOWN : value;
  const media = content.fields.get("application/json");
  if (media?.kind === "record") return media.fields.get("schema");
  return undefined;
}
