// Routers at their places in others: Express's `use`, Hono's `route`.
import { lineOf, nodesAt, shown } from "./ast.ts";
import type { Machine } from "./machine.ts";
import { flat, textOf, UNKNOWN } from "./values.ts";
import type { At, Library, Router, RouterAt, Value } from "./values.ts";

/** What a route or a mount depends on that nobody knows before the service runs. */
export function noted(machine: Machine, assumed: readonly Value[]): readonly string[] {
  const conditions = machine.conditions.map(({ node, scope: { source } }) => {
    return `it is there only if ${shown(source, node)} (${source.file}:${lineOf(source, node)})`;
  });
  const texts = assumed.map((one) => {
    const text = (textOf(one) ?? "").replace(/^\/$/, "");
    return text === ""
      ? "a setting may put another path before its own"
      : `its path has ${text} unless a setting says otherwise`;
  });
  return [...new Set([...texts, ...conditions])];
}

export function mountRouter(
  machine: Machine,
  of: Router,
  prefix: Value | undefined,
  child: Router,
  at: At,
): void {
  // One that is mounted in itself is no less an app for that.
  if (child !== of) child.isMounted = true;
  const known = prefix === undefined ? "" : textOf(prefix);
  if (known === undefined) machine.say("prefix_computed", at, argumentsShown(at));
  const isAssumed = prefix?.kind === "plain" && prefix.assumed !== undefined;
  const notes = noted(machine, isAssumed ? [prefix] : []);
  of.mounts.push({ prefix: known, router: child, notes });
}

function argumentsShown({ node, scope }: At): string {
  const [first] = nodesAt(node, "arguments");
  return first === undefined ? "" : shown(scope.source, first);
}

/** The router or function that a module stands for, where it was taken as a whole. */
export function unwrapped(value: Value): Value {
  if (value.kind === "module") return value.get("default");
  const inner = value.kind === "record" ? value.fields.get("default") : undefined;
  return inner ?? value;
}

export function useArguments(machine: Machine, of: RouterAt, args: readonly Value[], at: At): void {
  const [paths, handlers] = split(args);
  for (const path of paths) {
    for (const one of handlers) useOne(machine, of, path, unwrapped(one), at);
  }
}

// A path, several, or none; then what is used there.
function split(args: readonly Value[]): readonly [readonly (Value | undefined)[], Value[]] {
  const [first = UNKNOWN, ...rest] = args;
  const some = first.kind === "list" ? first.items : [first];
  const isPath =
    some.length > 0 && some.every(({ kind }) => kind === "plain" || kind === "pattern");
  const isComputed = first.kind === "unknown" && rest.some((one) => one.kind === "router");
  if (isPath || isComputed) return [some, flat(rest)];
  return [[undefined], flat(args)];
}

function useOne(
  machine: Machine,
  of: RouterAt,
  path: Value | undefined,
  what: Value,
  at: At,
): void {
  const prefix = path === undefined ? undefined : withBase(of, path);
  const where = textOf(path) ?? argumentsShown(at);
  if (what.kind === "router") {
    mountRouter(machine, of.router, prefix ?? withBase(of, undefined), what.router, at);
  } else if (path === undefined || where === "/" || where === "*") {
    if (what.kind === "unknown") machine.say("mount_unknown", at, argumentsShown(at));
  } else if (what.kind === "function") {
    // Two parameters answer, three pass on.
    if (nodesAt(what.node, "params").length < 3) machine.say("method_any", at, where);
  } else if (what.kind === "library") {
    if (!isQuiet(what)) machine.say("mount_elsewhere", at, `${where} (${what.from})`);
  } else machine.say("mount_unknown", at, where);
}

function withBase({ base }: RouterAt, path: Value | undefined): Value {
  if (path === undefined) return { kind: "plain", value: base };
  const text = textOf(path);
  return text === undefined || path.kind !== "plain" ? path : { ...path, value: `${base}${text}` };
}

// Express's own: files and parsers.
function isQuiet({ from }: Library): boolean {
  return from === "express" || from === "body-parser";
}
