// What an expression is, as far as its text says.
import { posix } from "node:path";
import { cookedOf, isFunction, nodeAt, nodesAt, wordAt } from "./ast.ts";
import type { Node } from "./ast.ts";
import { assign } from "./bind.ts";
import { classOf } from "./classes.ts";
import type { Machine } from "./machine.ts";
import { handedOn } from "./request.ts";
import { append, either, list, NOTHING, plain, record, TEXT_MAX } from "./values.ts";
import { truthOf, UNKNOWN } from "./values.ts";
import type { At, Plain, Rec, Scope, Value } from "./values.ts";

type Reader = (machine: Machine, node: Node, scope: Scope) => Value;

/** An expression that only stands around another one. */
function inside(key: string): Reader {
  return (machine, node, scope) => machine.evaluate(nodeAt(node, key), scope);
}

const READERS: Readonly<Record<string, Reader>> = {
  Literal: (_machine, node) => literal(node),
  TemplateLiteral: template,
  Identifier: (_machine, node, scope) => identifier(wordAt(node, "name"), scope),
  ThisExpression: (_machine, _node, scope) => scope.self ?? UNKNOWN,
  ArrayExpression: array,
  ObjectExpression: object,
  ClassExpression: classOf,
  ClassDeclaration: classOf,
  MemberExpression: member,
  CallExpression: call,
  NewExpression: (machine, node, scope) =>
    machine.instantiate(
      machine.evaluate(nodeAt(node, "callee"), scope),
      argumentsOf(machine, node, scope),
      { node, scope },
    ),
  ImportExpression: (machine, node, scope) => imported(machine, node, "source", scope),
  MetaProperty: (_machine, _node, { source }) =>
    record([
      ["dirname", plain(posix.dirname(`/${source.file}`))],
      ["filename", plain(`/${source.file}`)],
      ["url", plain(`file:///${source.file}`)],
    ]),
  UnaryExpression: unary,
  BinaryExpression: binary,
  LogicalExpression: logical,
  ConditionalExpression: conditional,
  AssignmentExpression: assign,
  UpdateExpression: (_machine, node, scope) => {
    scope.set(wordAt(nodeAt(node, "argument"), "name"), UNKNOWN);
    return UNKNOWN;
  },
  SequenceExpression: (machine, node, scope) =>
    nodesAt(node, "expressions")
      .map((one) => machine.evaluate(one, scope))
      .at(-1) ?? UNKNOWN,
  AwaitExpression: inside("argument"),
  ChainExpression: inside("expression"),
  TSAsExpression: inside("expression"),
  TSSatisfiesExpression: inside("expression"),
  TSNonNullExpression: inside("expression"),
  TSTypeAssertion: inside("expression"),
  TSInstantiationExpression: inside("expression"),
  ParenthesizedExpression: inside("expression"),
  YieldExpression: (machine, node, scope) => {
    machine.evaluate(nodeAt(node, "argument"), scope);
    return UNKNOWN;
  },
};

export function evaluateNode(machine: Machine, node: Node, scope: Scope): Value {
  if (isFunction(node)) {
    const self = node.type === "ArrowFunctionExpression" ? scope.self : undefined;
    return { kind: "function", node, scope, self, fields: new Map() };
  }
  const reader = Object.hasOwn(READERS, node.type) ? READERS[node.type] : undefined;
  return reader?.(machine, node, scope) ?? UNKNOWN;
}

function literal(node: Node): Value {
  const { value, regex } = node;
  if (typeof regex === "object" && regex !== null && "pattern" in regex) {
    return { kind: "pattern", source: String(regex.pattern) };
  }
  const isPlain = ["string", "number", "boolean"].includes(typeof value) || value === null;
  return isPlain ? plain(value as Plain["value"]) : UNKNOWN;
}

function identifier(name: string, scope: Scope): Value {
  if (name === "undefined") return NOTHING;
  return scope.get(name) ?? { kind: "library", from: "global", name, args: [] };
}

function template(machine: Machine, node: Node, scope: Scope): Value {
  const quasis = nodesAt(node, "quasis");
  let text: Value = plain(cookedOf(quasis[0]));
  for (const [i, hole] of nodesAt(node, "expressions").entries()) {
    text = added(text, machine.evaluate(hole, scope));
    text = added(text, plain(cookedOf(quasis[i + 1])));
  }
  return text;
}

function added(a: Value, b: Value): Value {
  if (a.kind !== "plain" || b.kind !== "plain") return UNKNOWN;
  const assumed = a.assumed ?? b.assumed;
  if (typeof a.value === "number" && typeof b.value === "number") {
    return plain(a.value + b.value, assumed);
  }
  const text = `${a.value}${b.value}`;
  return text.length > TEXT_MAX ? UNKNOWN : plain(text, assumed);
}

function array(machine: Machine, node: Node, scope: Scope): Value {
  const made = list([]);
  for (const one of nodesAt(node, "elements")) {
    const spread = spreadOf(machine, one, scope);
    if (spread === undefined) append(made, [machine.evaluate(one, scope)]);
    else if (spread.kind === "list") {
      append(made, spread.items);
      made.open ||= spread.open;
    } else made.open = true;
  }
  return made;
}

function spreadOf(machine: Machine, node: Node | undefined, scope: Scope): Value | undefined {
  if (node?.type !== "SpreadElement") return undefined;
  return machine.evaluate(nodeAt(node, "argument"), scope);
}

function object(machine: Machine, node: Node, scope: Scope): Value {
  const made: Rec = { ...record(), node };
  for (const property of nodesAt(node, "properties")) {
    if (property === undefined) continue;
    const spread = spreadOf(machine, property, scope);
    if (spread?.kind === "record") {
      for (const [name, value] of spread.fields) made.fields.set(name, value);
      made.open ||= spread.open;
    } else if (spread !== undefined) {
      if (spread.kind === "asked") handedOn([spread]);
      // Of `...(x ? { a } : {})` and its like nobody knows whether it is there.
      made.open = made.open || spread.kind !== "plain";
    } else if (wordAt(property, "kind") === "init") {
      const name = keyOf(machine, property, scope);
      const value = machine.evaluate(nodeAt(property, "value"), scope);
      if (name === undefined) made.open = true;
      else made.fields.set(name, withSelf(value, made));
    }
  }
  machine.tables.set(node, { record: made, at: { node, scope } });
  return made;
}

// `this` in a method that an object is written with.
function withSelf(value: Value, self: Rec): Value {
  if (value.kind !== "function" || value.node.type === "ArrowFunctionExpression") return value;
  return value.self === undefined ? { ...value, self } : value;
}

/** The name of a property; nothing where it is computed. */
function keyOf(machine: Machine, property: Node, scope: Scope): string | undefined {
  const key = nodeAt(property, "key");
  if (property["computed"] !== true && key?.type !== "Literal") return wordAt(key, "name");
  const value = machine.evaluate(key, scope);
  return value.kind === "plain" && value.value !== undefined ? String(value.value) : undefined;
}

function member(machine: Machine, node: Node, scope: Scope): Value {
  const of = machine.evaluate(nodeAt(node, "object"), scope);
  const name = nameIn(machine, node, scope);
  return name === undefined ? UNKNOWN : machine.member(of, name, { node, scope });
}

/** The name in `a.name`, `a["name"]` or `a[NAME]`. */
function nameIn(machine: Machine, node: Node, scope: Scope): string | undefined {
  const property = nodeAt(node, "property");
  if (node["computed"] !== true) return wordAt(property, "name");
  const value = machine.evaluate(property, scope);
  return value.kind === "plain" ? String(value.value) : undefined;
}

function argumentsOf(machine: Machine, node: Node, scope: Scope): readonly Value[] {
  const args = nodesAt(node, "arguments").flatMap((one): Value[] => {
    const spread = spreadOf(machine, one, scope);
    if (spread === undefined) return [machine.evaluate(one, scope)];
    return spread.kind === "list" && !spread.open ? spread.items : [UNKNOWN];
  });
  return args;
}

function call(machine: Machine, node: Node, scope: Scope): Value {
  const callee = nodeAt(node, "callee");
  if (callee === undefined) return UNKNOWN;
  if (callee.type === "Identifier" && wordAt(callee, "name") === "require") {
    return imported(machine, node, "arguments", scope);
  }
  if (callee.type === "Super") {
    const parent = scope.get("super");
    if (parent?.kind !== "class" || scope.self === undefined) return UNKNOWN;
    machine.call(parent, argumentsOf(machine, node, scope), { node, scope }, scope.self);
    return NOTHING;
  }
  if (callee.type !== "MemberExpression") {
    const of = machine.evaluate(callee, scope);
    return machine.call(of, argumentsOf(machine, node, scope), { node, scope });
  }
  return methodCall(machine, node, callee, scope);
}

function methodCall(machine: Machine, node: Node, callee: Node, scope: Scope): Value {
  const of = machine.evaluate(nodeAt(callee, "object"), scope);
  const name = nameIn(machine, callee, scope);
  const args = argumentsOf(machine, node, scope);
  const at = { node, scope };
  if (name !== undefined && isUnderstood(machine, of, name, at)) machine.judged.add(node);
  if (name !== undefined) return machine.method(of, name, args, at);
  if (of.kind === "router") machine.say("method_computed", at, "");
  return machine.call(UNKNOWN, args, at);
}

const OWN_METHODS = new Set(["router", "list", "plain", "schema", "pattern"]);

// Whether it is known what the method does: of a package's things it is not, nor of a thing of the
// service's own that has no such method as far as is known.
function isUnderstood(machine: Machine, of: Value, name: string, at: At): boolean {
  if (OWN_METHODS.has(of.kind)) return true;
  const isOwn = of.kind === "record" || of.kind === "class" || of.kind === "module";
  if (!isOwn) return false;
  return machine.member(of, name, at).kind === "function";
}

function imported(machine: Machine, node: Node, key: string, scope: Scope): Value {
  const named = nodeAt(node, key) ?? nodesAt(node, key)[0];
  const specifier = machine.evaluate(named, scope);
  const at = { node, scope };
  if (specifier.kind === "plain" && typeof specifier.value === "string") {
    return machine.load(specifier.value, at);
  }
  machine.say("module_computed", at, "");
  return UNKNOWN;
}

function unary(machine: Machine, node: Node, scope: Scope): Value {
  const value = machine.evaluate(nodeAt(node, "argument"), scope);
  const truth = truthOf(value);
  if (node["operator"] === "!") return truth === undefined ? UNKNOWN : plain(!truth);
  if (node["operator"] === "-" && value.kind === "plain" && typeof value.value === "number") {
    return plain(-value.value);
  }
  return node["operator"] === "void" ? NOTHING : UNKNOWN;
}

function binary(machine: Machine, node: Node, scope: Scope): Value {
  const a = machine.evaluate(nodeAt(node, "left"), scope);
  const b = machine.evaluate(nodeAt(node, "right"), scope);
  const { operator } = node;
  if (operator === "+") return added(a, b);
  if (a.kind !== "plain" || b.kind !== "plain") return UNKNOWN;
  if (a.assumed !== undefined || b.assumed !== undefined) return UNKNOWN;
  if (operator === "===" || operator === "==") return plain(a.value === b.value);
  if (operator === "!==" || operator === "!=") return plain(a.value !== b.value);
  return UNKNOWN;
}

function logical(machine: Machine, node: Node, scope: Scope): Value {
  const a = machine.evaluate(nodeAt(node, "left"), scope);
  const truth = truthOf(a);
  if (node["operator"] === "&&") {
    if (truth === false) return a;
    const b = machine.evaluate(nodeAt(node, "right"), scope);
    return truth === true ? b : either(UNKNOWN, b.kind === "plain" ? UNKNOWN : b);
  }
  const isThere = a.kind === "plain" && a.value !== undefined && a.value !== null;
  if (node["operator"] === "??" ? isThere || truth === true : truth === true) return a;
  const b = machine.evaluate(nodeAt(node, "right"), scope);
  if (a.kind === "plain" && truth !== undefined) return b;
  // What a setting is where nobody sets it.
  if (b.kind === "plain") return plain(b.value, b.assumed ?? "its setting");
  return either(a.kind === "library" ? UNKNOWN : a, b);
}

function conditional(machine: Machine, node: Node, scope: Scope): Value {
  const truth = truthOf(machine.evaluate(nodeAt(node, "test"), scope));
  if (truth !== undefined) {
    return machine.evaluate(nodeAt(node, truth ? "consequent" : "alternate"), scope);
  }
  const a = machine.evaluate(nodeAt(node, "consequent"), scope);
  const b = machine.evaluate(nodeAt(node, "alternate"), scope);
  if (a.kind === "plain" && b.kind === "plain") return a.value === b.value ? a : UNKNOWN;
  return either(a, b);
}
