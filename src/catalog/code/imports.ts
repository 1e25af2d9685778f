// What a module takes from others and gives to them.
import { nodeAt, nodesAt, wordAt } from "./ast.ts";
import type { Node } from "./ast.ts";
import type { Machine } from "./machine.ts";
import type { Module } from "./module.ts";
import { declaredBy } from "./statements.ts";
import { UNKNOWN } from "./values.ts";
import type { Value } from "./values.ts";

/** Links the imports of a module before its statements run, wherever they stand in it. */
export function linkImports(machine: Machine, module: Module): void {
  const { scope, source } = module;
  for (const node of nodesAt(source.program, "body")) {
    if (node?.type !== "ImportDeclaration" || node["importKind"] === "type") continue;
    const from = fromOf(machine, node, module);
    for (const one of nodesAt(node, "specifiers")) {
      if (one === undefined) continue;
      const name = wordAt(nodeAt(one, "local"), "name");
      const wanted = one.type === "ImportDefaultSpecifier" ? "default" : nameOf(one, "imported");
      const whole = one.type === "ImportNamespaceSpecifier";
      scope.link(name, () => (whole ? from : partOf(from, wanted)));
    }
  }
}

function fromOf(machine: Machine, node: Node, module: Module): Value {
  const specifier = wordAt(nodeAt(node, "source"), "value");
  return specifier === "" ? UNKNOWN : machine.load(specifier, { node, scope: module.scope });
}

function nameOf(node: Node, key: string): string {
  const named = nodeAt(node, key);
  return wordAt(named, "name") || wordAt(named, "value");
}

function partOf(from: Value, name: string): Value {
  if (from.kind === "module") return from.get(name);
  if (from.kind === "library") return { ...from, name };
  if (from.kind === "record" && name !== "default") return from.fields.get(name) ?? UNKNOWN;
  return from;
}

/** Runs one statement of a module's own if it is an export; says whether it was one. */
export function runExport(machine: Machine, node: Node, module: Module): boolean {
  const runner = Object.hasOwn(EXPORTS, node.type) ? EXPORTS[node.type] : undefined;
  runner?.(machine, node, module);
  return runner !== undefined;
}

const EXPORTS: Readonly<Record<string, (machine: Machine, node: Node, module: Module) => void>> = {
  ImportDeclaration: () => undefined,
  ExportAllDeclaration: exportAll,
  ExportDefaultDeclaration: exportDefault,
  ExportNamedDeclaration: exportNamed,
  TSExportAssignment: (machine, node, module) =>
    module.replace(machine.evaluate(nodeAt(node, "expression"), module.scope)),
  TSImportEqualsDeclaration: (machine, node, { scope }) => {
    const reference = nodeAt(node, "moduleReference");
    const named = reference === undefined ? undefined : nodeAt(reference, "expression");
    const from = wordAt(named, "value");
    const value = from === "" ? UNKNOWN : machine.load(from, { node, scope });
    scope.declare(wordAt(nodeAt(node, "id"), "name"), value);
  },
};

function exportAll(machine: Machine, node: Node, module: Module): void {
  const from = fromOf(machine, node, module);
  const name = nameOf(node, "exported");
  if (name !== "") module.export(name, () => from);
  else if (from.kind === "module") module.exportAll(from);
}

function exportDefault(machine: Machine, node: Node, module: Module): void {
  const { scope } = module;
  const own = nodeAt(node, "declaration");
  const name = wordAt(own === undefined ? own : nodeAt(own, "id"), "name");
  const isNamed = name !== "" && own?.type.endsWith("Declaration") === true;
  if (isNamed) machine.run([own], scope);
  const value = isNamed ? UNKNOWN : machine.evaluate(own, scope);
  module.export("default", () => (isNamed ? (scope.get(name) ?? UNKNOWN) : value));
}

function exportNamed(machine: Machine, node: Node, module: Module): void {
  const { scope } = module;
  const own = nodeAt(node, "declaration");
  if (own !== undefined) {
    machine.run([own], scope);
    for (const name of declaredBy(own)) module.export(name, () => scope.get(name) ?? UNKNOWN);
    return;
  }
  if (node["exportKind"] === "type") return;
  const from = nodeAt(node, "source") === undefined ? undefined : fromOf(machine, node, module);
  for (const one of nodesAt(node, "specifiers")) {
    if (one === undefined) continue;
    const name = nameOf(one, "local");
    const live = (): Value =>
      (from === undefined ? scope.get(name) : partOf(from, name)) ?? UNKNOWN;
    module.export(nameOf(one, "exported"), live);
  }
}
