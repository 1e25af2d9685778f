// Statements, in their order. Of a branch that may be taken or not, what it does is done, and noted
// as depending on a condition; of a loop over a list that is known, each round.
import { nodeAt, nodesAt, wordAt } from "./ast.ts";
import type { Node } from "./ast.ts";
import type { Machine } from "./machine.ts";
import { NOTHING, plain, record, truthOf, UNKNOWN } from "./values.ts";
import type { At, Scope, Value } from "./values.ts";

const ROUNDS_MAX = 1000;

/** Says whether what follows is not reached. */
type Runner = (machine: Machine, node: Node, scope: Scope) => boolean;

const RUNNERS: Readonly<Record<string, Runner>> = {
  ExpressionStatement: (machine, node, scope) => {
    machine.evaluate(nodeAt(node, "expression"), scope);
    return false;
  },
  VariableDeclaration: declaration,
  ClassDeclaration: (machine, node, scope) => {
    scope.declare(wordAt(nodeAt(node, "id"), "name"), machine.evaluate(node, scope));
    return false;
  },
  TSEnumDeclaration: enumeration,
  TSModuleDeclaration: namespace,
  ReturnStatement: (machine, node, scope) => {
    const argument = nodeAt(node, "argument");
    scope.frame.returns.push(argument === undefined ? NOTHING : machine.evaluate(argument, scope));
    return true;
  },
  ThrowStatement: () => true,
  BreakStatement: () => true,
  ContinueStatement: () => true,
  BlockStatement: (machine, node, scope) =>
    runStatements(machine, nodesAt(node, "body"), scope.inner()),
  IfStatement: branch,
  ForStatement: loop,
  WhileStatement: loop,
  DoWhileStatement: loop,
  ForOfStatement: rounds,
  ForInStatement: rounds,
  TryStatement: attempt,
  SwitchStatement: choice,
  LabeledStatement: (machine, node, scope) => machine.run([nodeAt(node, "body")], scope),
};

export function runStatements(
  machine: Machine,
  statements: readonly (Node | undefined)[],
  scope: Scope,
): boolean {
  hoist(machine, statements, scope);
  for (const node of statements) {
    if (node === undefined || !machine.step()) continue;
    const runner = Object.hasOwn(RUNNERS, node.type) ? RUNNERS[node.type] : undefined;
    if (runner?.(machine, node, scope) === true) return true;
  }
  return false;
}

// Functions are there before the first statement, and variables are there, of no value.
function hoist(machine: Machine, statements: readonly (Node | undefined)[], scope: Scope): void {
  for (const node of statements) {
    const own = /^Export(?:Named|Default)Declaration$/.test(node?.type ?? "")
      ? nodeAt(node as Node, "declaration")
      : node;
    const name = wordAt(own === undefined ? own : nodeAt(own, "id"), "name");
    if (own?.type !== "FunctionDeclaration" || name === "") continue;
    scope.declare(name, machine.evaluate(own, scope));
  }
}

function declaration(machine: Machine, node: Node, scope: Scope): boolean {
  for (const one of nodesAt(node, "declarations")) {
    if (one === undefined) continue;
    const init = nodeAt(one, "init");
    const value = init === undefined ? NOTHING : machine.evaluate(init, scope);
    machine.bind(nodeAt(one, "id"), value, scope);
  }
  return false;
}

function enumeration(machine: Machine, node: Node, scope: Scope): boolean {
  const made = record();
  const body = nodeAt(node, "body") ?? node;
  for (const [i, one] of nodesAt(body, "members").entries()) {
    if (one === undefined) continue;
    const id = nodeAt(one, "id");
    const init = nodeAt(one, "initializer");
    const value = init === undefined ? plain(i) : machine.evaluate(init, scope);
    made.fields.set(wordAt(id, "name") || wordAt(id, "value"), value);
  }
  scope.declare(wordAt(nodeAt(node, "id"), "name"), made);
  return false;
}

function namespace(machine: Machine, node: Node, scope: Scope): boolean {
  const body = nodeAt(node, "body");
  if (body?.type !== "TSModuleBlock") return false;
  const inner = scope.inner();
  const made = record();
  for (const one of nodesAt(body, "body")) {
    const own = one?.type === "ExportNamedDeclaration" ? nodeAt(one, "declaration") : one;
    runStatements(machine, [own], inner);
    for (const name of declaredBy(own)) made.fields.set(name, inner.get(name) ?? UNKNOWN);
  }
  scope.declare(wordAt(nodeAt(node, "id"), "name"), made);
  return false;
}

/** Names that a declaration gives to its scope, as far as they stand there by themselves. */
export function declaredBy(node: Node | undefined): string[] {
  if (node === undefined) return [];
  if (node.type !== "VariableDeclaration") return [wordAt(nodeAt(node, "id"), "name")];
  return nodesAt(node, "declarations").flatMap((one) => {
    return one === undefined ? [] : namesIn(nodeAt(one, "id"));
  });
}

function namesIn(pattern: Node | undefined): string[] {
  if (pattern?.type === "Identifier") return [wordAt(pattern, "name")];
  if (pattern?.type !== "ObjectPattern") return [];
  return nodesAt(pattern, "properties").flatMap((one) =>
    one === undefined ? [] : namesIn(nodeAt(one, "value")),
  );
}

/** What is done only if something holds. */
function perhaps(machine: Machine, at: At, what: () => boolean): boolean {
  const { frame } = at.scope;
  frame.unsure += 1;
  machine.conditions.push(at);
  try {
    return what();
  } finally {
    machine.conditions.pop();
    frame.unsure -= 1;
  }
}

function branch(machine: Machine, node: Node, scope: Scope): boolean {
  const test = nodeAt(node, "test") ?? node;
  const truth = truthOf(machine.evaluate(test, scope));
  const taken = [nodeAt(node, "consequent")];
  const other = [nodeAt(node, "alternate")];
  if (truth !== undefined) return machine.run(truth ? taken : other, scope);
  const at = { node: test, scope };
  const first = perhaps(machine, at, () => machine.run(taken, scope));
  const second = perhaps(machine, at, () => machine.run(other, scope));
  return first && second;
}

function loop(machine: Machine, node: Node, scope: Scope): boolean {
  const inner = scope.inner();
  const init = nodeAt(node, "init");
  if (init?.type === "VariableDeclaration") {
    // What counts the rounds is another in each of them.
    for (const name of declaredBy(init)) inner.declare(name, UNKNOWN);
  } else machine.evaluate(init, inner);
  machine.evaluate(nodeAt(node, "test"), inner);
  inner.frame.unsure += 1;
  machine.run([nodeAt(node, "body")], inner);
  inner.frame.unsure -= 1;
  return false;
}

function rounds(machine: Machine, node: Node, scope: Scope): boolean {
  const over = machine.evaluate(nodeAt(node, "right"), scope);
  const isNames = node.type === "ForInStatement";
  const items = isNames
    ? keysOf(over)
    : over.kind === "list" && !over.open
      ? over.items
      : undefined;
  for (const item of items?.slice(0, ROUNDS_MAX) ?? [UNKNOWN]) {
    const inner = scope.inner();
    const left = nodeAt(node, "left");
    const pattern =
      left?.type === "VariableDeclaration" ? nodesAt(left, "declarations")[0] : undefined;
    machine.bind(pattern === undefined ? left : nodeAt(pattern, "id"), item, inner);
    inner.frame.unsure += items === undefined ? 1 : 0;
    machine.run([nodeAt(node, "body")], inner);
    inner.frame.unsure -= items === undefined ? 1 : 0;
  }
  return false;
}

function keysOf(value: Value): Value[] | undefined {
  if (value.kind !== "record" || value.open) return undefined;
  return [...value.fields.keys()].map((name) => plain(name));
}

function attempt(machine: Machine, node: Node, scope: Scope): boolean {
  const ended = machine.run([nodeAt(node, "block")], scope);
  const handler = nodeAt(node, "handler");
  if (handler !== undefined) {
    perhaps(machine, { node: handler, scope }, () => machine.run([nodeAt(handler, "body")], scope));
  }
  return machine.run([nodeAt(node, "finalizer")], scope) || (ended && handler === undefined);
}

function choice(machine: Machine, node: Node, scope: Scope): boolean {
  machine.evaluate(nodeAt(node, "discriminant"), scope);
  for (const one of nodesAt(node, "cases")) {
    if (one === undefined) continue;
    const test = nodeAt(node, "discriminant") ?? node;
    perhaps(machine, { node: test, scope }, () =>
      machine.run(nodesAt(one, "consequent"), scope.inner()),
    );
  }
  return false;
}
