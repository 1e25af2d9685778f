// What a service says to its app or router: routes, and other routers at their places. Express,
// Fastify and Hono differ in what they are given, and little in how it is called.
import { cookedOf, literalOf, nodeAt, nodesAt, nodesBelow, shown, wordAt } from "./ast.ts";
import type { Node } from "./ast.ts";
import { registerPlugin, routeOptions, schemaInto } from "./fastify.ts";
import { openApiRoute } from "./hono.ts";
import type { Machine } from "./machine.ts";
import { noted, useArguments } from "./mount.ts";
import { joinPaths } from "./routers.ts";
import { Asks, flat, NOTHING, plain, textOf, UNKNOWN } from "./values.ts";
import type { At, Rec, RouterAt, Value } from "./values.ts";

const METHODS = new Set(["get", "put", "post", "delete", "options", "head", "patch", "trace"]);
const OTHER_METHODS = new Set(
  (
    "copy link lock m-search merge mkactivity mkcol mkcalendar move notify propfind proppatch " +
    "purge query rebind report search source subscribe unbind unlink unlock unsubscribe"
  ).split(" "),
);
// What an app is asked for without a route coming of it.
const QUIET = new Set(
  (
    "listen set enable disable enabled disabled engine param render path address close ready " +
    "addHook addSchemas getSchema getSchemas decorateRequest decorateReply hasDecorator hasRoute " +
    "findRoute printRoutes printPlugins inject setErrorHandler setNotFoundHandler " +
    "setValidatorCompiler setSerializerCompiler setReplySerializer setSchemaController " +
    "setSchemaErrorFormatter addContentTypeParser hasContentTypeParser setGenReqId " +
    "removeContentTypeParser removeAllContentTypeParsers setChildLoggerFactory addHttpMethod " +
    "addConstraintStrategy withTypeProvider swagger notFound onError fetch request fire " +
    "getOpenAPIDocument getOpenAPI31Document on once emit off removeListener handle bind catch"
  ).split(" "),
);

export function isRouting(name: string): boolean {
  return (
    METHODS.has(name) || OTHER_METHODS.has(name) || /^(?:all|use|route|register|del)$/.test(name)
  );
}

type Call = (machine: Machine, of: RouterAt, args: readonly Value[], at: At) => Value;

/** What most calls come to: the router itself, for the next one. */
const then =
  (call: (...given: Parameters<Call>) => unknown): Call =>
  (machine, of, args, at) => {
    call(machine, of, args, at);
    return of;
  };
const elsewhere = then((machine, _of, args, at) =>
  machine.say("mount_elsewhere", at, textOf(args[0]) ?? ""),
);

const CALLS: Readonly<Record<string, Call>> = {
  route,
  all: then((machine, of, args, at) => addRoutes(machine, of, [undefined], args, at)),
  use: then((machine, of, args, at) => {
    if (of.router.framework === "express") useArguments(machine, of, args, at);
  }),
  register: then(registerPlugin),
  basePath: based,
  openapi: then((machine, of, args, at) => openApiRoute(machine, of, args, at, addRoute)),
  // Hono's: another fetch function, and pages that describe the service.
  mount: elsewhere,
  doc: elsewhere,
  doc31: elsewhere,
};

/** `of.name(…args)`; what comes of it is most often the router itself, for the next call. */
export function routerMethod(
  machine: Machine,
  of: RouterAt,
  name: string,
  args: readonly Value[],
  at: At,
): Value {
  const { framework } = of.router;
  if (METHODS.has(name) || name === "del" || OTHER_METHODS.has(name)) {
    const isOne = args.length === 1 && of.path === undefined && !isSpread(at);
    if (isOne && framework === "express" && name === "get") return UNKNOWN;
    addRoutes(machine, of, [name === "del" ? "DELETE" : name.toUpperCase()], args, at);
    return of;
  }
  if (name === "on" && framework === "hono") {
    onMethods(machine, of, args, at);
    return of;
  }
  const call = Object.hasOwn(CALLS, name) ? CALLS[name] : undefined;
  return call?.(machine, of, args, at) ?? otherCall(machine, of, name, args, at);
}

function otherCall(
  machine: Machine,
  of: RouterAt,
  name: string,
  args: readonly Value[],
  at: At,
): Value {
  const [first = UNKNOWN, second] = args;
  if (name === "decorate") of.router.decorated.add(textOf(first) ?? "");
  else if (name === "addSchema" && first.kind === "record") {
    machine.shared.set(textOf(first.fields.get("$id")) ?? "", first);
  } else if (name === "after" || name === "then") machine.call(first, [NOTHING, of], at);
  else if (!QUIET.has(name) && !isDecorated(machine, name)) {
    machine.say("call_unknown", at, `.${name}(…)`);
    for (const one of [first, second]) if (one?.kind === "function") machine.call(one, [of], at);
  }
  return of;
}

function isDecorated(machine: Machine, name: string): boolean {
  return machine.routers.some(({ decorated }) => decorated.has(name));
}

function based(machine: Machine, of: RouterAt, [first]: readonly Value[], at: At): Value {
  const prefix = textOf(first);
  if (prefix !== undefined) return { ...of, base: joinPaths(of.base, prefix) };
  machine.say("prefix_computed", at, "");
  return UNKNOWN;
}

function route(machine: Machine, of: RouterAt, args: readonly Value[], at: At): Value {
  const [first = UNKNOWN, second] = args;
  if (of.router.framework === "hono") {
    const rest = second === undefined ? [] : [second];
    useArguments(machine, of, [first, ...rest], at);
    return of;
  }
  if (of.router.framework === "express") return { ...of, path: first };
  const options = routeOptions(first);
  if (options === undefined) {
    machine.say("path_computed", at, "route(…)");
    return of;
  }
  const asks = new Asks();
  if (options.schema !== undefined) schemaInto(machine, asks, options.schema, at);
  for (const one of options.handlers) machine.handle(one, asks, at);
  forget(machine, first);
  const methods = options.methods.map((one) => textOf(one)?.toUpperCase());
  for (const method of methods) {
    if (method === undefined) machine.say("method_computed", at, textOf(options.path) ?? "");
    else addRoute(machine, of, method, options.path, asks, at);
  }
  return of;
}

// An object that a framework was given is no route of a table besides.
function forget(machine: Machine, value: Value): void {
  if (value.kind === "record" && value.node !== undefined) machine.given.add(value.node);
}

function onMethods(machine: Machine, of: RouterAt, args: readonly Value[], at: At): void {
  const [named = UNKNOWN, ...rest] = args;
  const methods = named.kind === "list" ? named.items : [named];
  const known = methods.map((one) => textOf(one)?.toUpperCase());
  if (known.includes(undefined) || (named.kind === "list" && named.open)) {
    machine.say("method_computed", at, "on(…)");
  }
  addRoutes(
    machine,
    of,
    known.filter((one) => one !== undefined),
    rest,
    at,
  );
}

/** A verb's arguments: a path (but for Express's `route(path)`), perhaps options, and handlers. */
function addRoutes(
  machine: Machine,
  of: RouterAt,
  methods: readonly (string | undefined)[],
  args: readonly Value[],
  at: At,
): void {
  const { framework } = of.router;
  const [first = UNKNOWN, ...others] = of.path === undefined ? args : [of.path, ...args];
  const isHandlerFirst =
    framework === "hono" && (first.kind === "function" || first.kind === "library");
  const path = isHandlerFirst ? plain("/*") : first;
  const asks = new Asks();
  for (const one of isHandlerFirst ? [first, ...others] : others) {
    const isOptions = one.kind === "record" && framework === "fastify";
    machine.handle(isOptions ? optionsInto(machine, asks, one, at) : one, asks, at);
  }
  for (const method of methods) addRoute(machine, of, method, path, asks, at);
}

/** Fastify's options of a route; the handler may be among them. */
function optionsInto(machine: Machine, asks: Asks, options: Rec, at: At): Value {
  const schema = options.fields.get("schema") ?? (options.open ? UNKNOWN : undefined);
  if (schema !== undefined) schemaInto(machine, asks, schema, at);
  forget(machine, options);
  return options.fields.get("handler") ?? NOTHING;
}

/** One method at one path, or at each of several. */
function addRoute(
  machine: Machine,
  of: RouterAt,
  method: string | undefined,
  path: Value,
  asks: Asks,
  at: At,
): void {
  const where = written(machine, at);
  for (const one of flat([path])) addAt(machine, of, method, one, asks, where);
}

function addAt(
  machine: Machine,
  of: RouterAt,
  method: string | undefined,
  path: Value,
  asks: Asks,
  at: At,
): void {
  const name = method ?? "ALL";
  const text = textOf(path);
  if (path.kind === "pattern") machine.say("path_regex", at, `${name} ${argumentShown(at)}`);
  else if (text === undefined) {
    machine.say(
      isSpread(at) ? "arguments_spread" : "path_computed",
      at,
      `${name} ${argumentShown(at)}`,
    );
  } else if (method === undefined) machine.say("method_any", at, text);
  else if (!METHODS.has(method.toLowerCase())) machine.say("method_other", at, `${name} ${text}`);
  else {
    const assumed = path.kind === "plain" ? path.assumed : undefined;
    const notes = noted(machine, assumed === undefined ? [] : [path]);
    of.router.routes.push({ method, path: joinPaths(of.base, text), at, asks, notes });
  }
}

/** Whether some of it is text that stands there. */
function hasText(node: Node): boolean {
  return [...nodesBelow(node)].some((one) => {
    return literalOf(one) !== undefined || (one.type === "TemplateElement" && cookedOf(one) !== "");
  });
}

/** A record with a path that is written out. */
function isPlaced(node: Node): boolean {
  return nodesAt(node, "properties").some((one) => {
    const value = one === undefined ? undefined : nodeAt(one, "value");
    const name = one === undefined ? "" : wordAt(nodeAt(one, "key"), "name");
    return value !== undefined && /^(?:path|url)$/.test(name) && hasText(value);
  });
}

// Where a path is only put together of names, it stands in a call that leads here: there a reader
// looks for it.
function written(machine: Machine, at: At): At {
  const [first] = nodesAt(at.node, "arguments");
  if (first === undefined || hasText(first) || isPlaced(first)) return at;
  const caller = machine.callers.findLast(({ node }) =>
    nodesAt(node, "arguments").some(
      (one) => one !== undefined && (literalOf(one)?.startsWith("/") || isPlaced(one)),
    ),
  );
  return caller ?? at;
}

function isSpread({ node }: At): boolean {
  return nodesAt(node, "arguments")[0]?.type === "SpreadElement";
}

function argumentShown({ node, scope }: At): string {
  const [first] = nodesAt(node, "arguments");
  return first === undefined ? "" : shown(scope.source, first);
}
