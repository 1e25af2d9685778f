// What looks like a route and was not gone through, or not understood: each such place is said, so
// that nothing is missed in silence.
import {
  isFunction,
  literalOf,
  methodOf,
  nodeAt,
  nodesAt,
  nodesBelow,
  shown,
  wordAt,
} from "./ast.ts";
import type { Node, Source } from "./ast.ts";
import { FRAMEWORKS } from "./frameworks.ts";
import type { Machine } from "./machine.ts";
import type { Module } from "./module.ts";
import { isRouting } from "./router.ts";
import { newRouter } from "./routers.ts";
import type { Said } from "./said.ts";
import { UNKNOWN } from "./values.ts";
import type { Router, Scope, Value } from "./values.ts";

const APP_LIKE = new RegExp(
  "(?:^|_)(?:app|router|routes?|server|fastify|instance|api|hono|express)$" +
    "|(?:App|Router|Routes?|Server|Api)$",
);
/** Runs, with arguments that nobody knows, what nothing ran and something looks like a route in. */
export function runTheRest(machine: Machine, modules: readonly Module[]): void {
  for (const { source, scope } of modules) {
    const candidates = candidatesIn(machine, source);
    if (candidates.length === 0) continue;
    for (const node of outermost(source.program)) {
      const holds = (one: Node): boolean => candidates.some((it) => isWithin(it, one));
      if (!holds(node)) continue;
      if (isFunction(node)) {
        if (!machine.ran.has(node)) runFunction(machine, node, scope);
      } else runClass(machine, node, scope, holds);
    }
  }
}

function isWithin(inner: Node, outer: Node): boolean {
  return inner.start >= outer.start && inner.end <= outer.end;
}

/** Functions and classes that stand in no other one. */
function* outermost(program: Node): Generator<Node> {
  let end = -1;
  for (const node of nodesBelow(program)) {
    if (node.start < end) continue;
    if (!isFunction(node) && !/^Class(?:Declaration|Expression)$/.test(node.type)) continue;
    end = node.end;
    yield node;
  }
}

function runFunction(machine: Machine, node: Node, scope: Scope): void {
  const args = nodesAt(node, "params").map((one) => givenFor(machine, one));
  machine.callFunction({ kind: "function", node, scope, fields: new Map() }, args);
}

const TYPES: readonly (readonly [RegExp, Router["framework"]])[] = [
  [/^(?:FastifyInstance|FastifyTyped\w*)$/, "fastify"],
  [/^(?:Express|Application|Router|IRouter|IApplication)$/, "express"],
  [/^(?:Hono|OpenAPIHono)$/, "hono"],
];

// Of a parameter that is named or typed as an app, what it will be is known, but not where.
function givenFor(machine: Machine, parameter: Node | undefined): Value {
  const annotation = parameter === undefined ? undefined : nodeAt(parameter, "typeAnnotation");
  const type = annotation === undefined ? undefined : nodeAt(annotation, "typeAnnotation");
  const named = type === undefined ? undefined : nodeAt(type, "typeName");
  const name =
    wordAt(named, "name") || wordAt(named === undefined ? named : nodeAt(named, "right"), "name");
  const found = TYPES.find(([pattern]) => pattern.test(name))?.[1];
  const isFastify = wordAt(parameter, "name") === "fastify";
  const framework = found ?? (isFastify ? "fastify" : undefined);
  return framework === undefined ? UNKNOWN : newRouter(machine, framework, false);
}

function runClass(
  machine: Machine,
  node: Node,
  scope: Scope,
  holds: (node: Node) => boolean,
): void {
  const named = scope.get(wordAt(nodeAt(node, "id"), "name"));
  const cls = named?.kind === "class" ? named : machine.evaluate(node, scope);
  const at = { node, scope };
  const self = machine.instantiate(cls, [], at);
  const body = nodeAt(node, "body");
  for (const one of body === undefined ? [] : nodesAt(body, "body")) {
    const fn = one === undefined ? undefined : nodeAt(one, "value");
    if (one === undefined || fn === undefined || !isFunction(fn)) continue;
    if (!holds(one) || machine.ran.has(fn)) continue;
    const name = wordAt(nodeAt(one, "key"), "name");
    machine.call(machine.member(self, name, at), [], at, self);
  }
}

function candidatesIn(machine: Machine, source: Source): readonly Node[] {
  return [...nodesBelow(source.program)].filter(
    (node) => isUnjudgedRoute(machine, node) || isUnseenTable(machine, node),
  );
}

function isUnseenTable(machine: Machine, node: Node): boolean {
  return node.type === "ObjectExpression" && !machine.tables.has(node) && isTableNode(node);
}

const HANDLERS = /^(?:handler|handle|run|action|controller|execute|callback|fn)$/;

/** An object that is written with a method, a path and something that answers. */
export function isTableNode(node: Node): boolean {
  const names = new Set<string>();
  for (const one of nodesAt(node, "properties")) {
    const key = one === undefined ? undefined : nodeAt(one, "key");
    names.add(wordAt(key, "name") || wordAt(key, "value"));
  }
  const isPlaced = names.has("method") && (names.has("path") || names.has("url"));
  return isPlaced && [...names].some((name) => HANDLERS.test(name));
}

/** A call like `x.get("/y", …)`, of which it is not known what `x` is. */
function isUnjudgedRoute(machine: Machine, node: Node): boolean {
  const method = methodOf(node);
  if (method === undefined || machine.judged.has(node) || !isRouting(method.name)) return false;
  return looksLikeRoute(method.name, nodesAt(node, "arguments"), APP_LIKE.test(nameOf(method.on)));
}

function looksLikeRoute(
  name: string,
  [first, ...others]: readonly (Node | undefined)[],
  isApp: boolean,
): boolean {
  const last = others.at(-1);
  const isPath = looksLikePath(first);
  switch (name) {
    case "register":
      return isApp && first !== undefined;
    case "use":
      return isApp && isPath && last !== undefined;
    case "route":
      return isApp && (isPath || first?.type === "ObjectExpression");
    default:
      return last !== undefined && isAnswered(last, isApp) && (isPath || isApp);
  }
}

function looksLikePath(node: Node | undefined): boolean {
  return node?.type === "TemplateLiteral" || /^[/*]/.test(literalOf(node) ?? "");
}

// By a function; on what is called an app, by anything but data.
function isAnswered(last: Node, isApp: boolean): boolean {
  return isFunction(last) || (isApp && !/^(?:Object|Literal)/.test(last.type));
}

/** Of `a.b.router` the last word; of `router.route("/x")` the router's. */
function nameOf(node: Node): string {
  if (node.type === "Identifier") return wordAt(node, "name");
  if (node.type === "MemberExpression") return wordAt(nodeAt(node, "property"), "name");
  if (node.type === "ThisExpression") return "this";
  const callee = node.type === "CallExpression" ? nodeAt(node, "callee") : undefined;
  const on = callee?.type === "MemberExpression" ? nodeAt(callee, "object") : undefined;
  return on === undefined ? "" : nameOf(on);
}

function isAnswering(node: Node): boolean {
  if (isFunction(node)) return true;
  return nodesAt(node, "properties").some((one) => {
    const value = one === undefined ? undefined : nodeAt(one, "value");
    const name = one === undefined ? "" : wordAt(nodeAt(one, "key"), "name");
    return name === "routes" || (name === "fetch" && value !== undefined && isFunction(value));
  });
}

export function sayTheRest(machine: Machine, modules: readonly Module[], said: Said): void {
  for (const { source } of modules) {
    for (const node of candidatesIn(machine, source)) {
      const method = methodOf(node)?.name.toUpperCase() ?? "";
      const [first] = nodesAt(node, "arguments");
      const what = first === undefined ? node : first;
      const words = method === "" ? shown(source, node) : `${method} ${shown(source, what)}`;
      said.say("not_reached", source, node, words);
    }
    for (const node of nodesBelow(source.program)) {
      const from = importedBy(node);
      if (from !== undefined && FRAMEWORKS.has(from)) {
        said.say("framework_unread", source, node, from);
      }
      if (isBareServer(machine, node)) said.say("framework_unread", source, node, "createServer");
    }
  }
}

function importedBy(node: Node): string | undefined {
  if (node.type === "ImportDeclaration") {
    if (node["importKind"] === "type") return undefined;
    return wordAt(nodeAt(node, "source"), "value");
  }
  const isRequire =
    node.type === "CallExpression" && wordAt(nodeAt(node, "callee"), "name") === "require";
  return isRequire ? literalOf(nodesAt(node, "arguments")[0]) : undefined;
}

// A server of Node's own that is given no app, or one of Bun's with routes: what it answers is
// decided in code.
function isBareServer(machine: Machine, node: Node): boolean {
  if (node.type !== "CallExpression" || machine.hosting.has(node)) return false;
  const method = methodOf(node);
  if (method?.name === "serve" && /^(?:Bun|Deno)$/.test(wordAt(method.on, "name"))) {
    return nodesAt(node, "arguments").some((one) => one !== undefined && isAnswering(one));
  }
  const callee = nodeAt(node, "callee");
  const name = wordAt(callee, "name") || methodOf(node)?.name;
  if (name !== "createServer" && name !== "createSecureServer") return false;
  return nodesAt(node, "arguments").some(
    (one) => one !== undefined && one.type !== "ObjectExpression",
  );
}
