// Where values go: declarations, parameters, assignments.
import { nodeAt, nodesAt, nodesBelow, wordAt } from "./ast.ts";
import type { Node } from "./ast.ts";
import type { Machine } from "./machine.ts";
import { list, NOTHING, record, TEXT_MAX, UNKNOWN } from "./values.ts";
import type { Scope, Value } from "./values.ts";

/** Binds the names of a pattern; each is declared in `scope`. */
export function bindPattern(machine: Machine, pattern: Node, value: Value, scope: Scope): void {
  switch (pattern.type) {
    case "Identifier":
      scope.declare(wordAt(pattern, "name"), value);
      return;
    case "AssignmentPattern":
      machine.bind(nodeAt(pattern, "left"), withPreset(machine, pattern, value, scope), scope);
      return;
    case "ObjectPattern":
      bindObject(machine, pattern, value, scope);
      return;
    case "ArrayPattern":
      for (const [i, one] of nodesAt(pattern, "elements").entries()) {
        machine.bind(one, itemOf(value, i, one), scope);
      }
      return;
    case "RestElement":
      machine.bind(nodeAt(pattern, "argument"), value, scope);
      return;
    case "TSParameterProperty": {
      const parameter = nodeAt(pattern, "parameter");
      machine.bind(parameter, value, scope);
      const named = parameter?.type === "AssignmentPattern" ? nodeAt(parameter, "left") : parameter;
      if (scope.self?.kind === "record") scope.self.fields.set(wordAt(named, "name"), value);
      return;
    }
    default:
  }
}

function withPreset(machine: Machine, pattern: Node, value: Value, scope: Scope): Value {
  const isThere = value.kind !== "plain" || value.value !== undefined;
  if (value.kind !== "unknown" && isThere) return value;
  const preset = machine.evaluate(nodeAt(pattern, "right"), scope);
  if (value.kind !== "unknown") return preset;
  return preset.kind === "plain" ? UNKNOWN : preset;
}

function bindObject(machine: Machine, pattern: Node, value: Value, scope: Scope): void {
  const taken = new Set<string>();
  for (const one of nodesAt(pattern, "properties")) {
    if (one === undefined) continue;
    if (one.type === "RestElement") {
      machine.bind(one, without(value, taken), scope);
      continue;
    }
    const key = nodeAt(one, "key");
    const isPlainKey = one["computed"] !== true;
    const name = isPlainKey ? wordAt(key, "name") || wordAt(key, "value") : "";
    taken.add(name);
    const inner = name === "" ? UNKNOWN : machine.member(value, name, { node: one, scope });
    machine.bind(nodeAt(one, "value"), inner, scope);
  }
}

function without(value: Value, taken: ReadonlySet<string>): Value {
  if (value.kind !== "record") return value.kind === "asked" ? value : UNKNOWN;
  return record(
    [...value.fields].filter(([name]) => !taken.has(name)),
    value.open,
  );
}

function itemOf(value: Value, i: number, node: Node | undefined): Value {
  if (value.kind !== "list") return UNKNOWN;
  if (node?.type === "RestElement") return list(value.items.slice(i), value.open);
  return value.items[i] ?? (value.open ? UNKNOWN : NOTHING);
}

export function assign(machine: Machine, node: Node, scope: Scope): Value {
  const right = machine.evaluate(nodeAt(node, "right"), scope);
  const target = nodeAt(node, "left");
  if (target === undefined) return right;
  const value = node["operator"] === "=" ? right : changed(machine, node, target, right, scope);
  if (target.type === "Identifier") scope.set(wordAt(target, "name"), value);
  else if (target.type === "MemberExpression") assignMember(machine, target, value, scope);
  else if (target.type === "ObjectPattern" || target.type === "ArrayPattern") {
    const inner = scope.inner();
    bindPattern(machine, target, value, inner);
    for (const one of nodesBelow(target)) {
      const name = one.type === "Identifier" ? wordAt(one, "name") : "";
      scope.set(name, inner.get(name) ?? UNKNOWN);
    }
  }
  return value;
}

function changed(machine: Machine, node: Node, target: Node, right: Value, scope: Scope): Value {
  const before = machine.evaluate(target, scope);
  if (node["operator"] !== "+=") return before.kind === "plain" ? right : before;
  if (before.kind !== "plain" || right.kind !== "plain") return UNKNOWN;
  const { value } = before;
  if (typeof value !== "string") return { ...right, value: undefined };
  const text = value + String(right.value);
  return text.length > TEXT_MAX ? UNKNOWN : { ...right, value: text };
}

function assignMember(machine: Machine, target: Node, value: Value, scope: Scope): void {
  const of = machine.evaluate(nodeAt(target, "object"), scope);
  const property = nodeAt(target, "property");
  const key = target["computed"] === true ? machine.evaluate(property, scope) : undefined;
  const name = key === undefined ? wordAt(property, "name") : keyText(key);
  if (name === undefined) {
    if (of.kind === "record") of.open = true;
    return;
  }
  if (of.kind === "record" || of.kind === "function" || of.kind === "class") {
    of.fields.set(name, value);
  }
}

function keyText(key: Value): string | undefined {
  return key.kind === "plain" ? String(key.value) : undefined;
}
