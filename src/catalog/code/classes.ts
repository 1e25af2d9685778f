// Classes of a service, and what is made of them.
import { nodeAt, nodesAt, wordAt } from "./ast.ts";
import type { Node } from "./ast.ts";
import type { Machine } from "./machine.ts";
import { UNKNOWN } from "./values.ts";
import type { At, Cls, Rec, Scope, Value } from "./values.ts";

const PARENTS_MAX = 100;

export function classOf(machine: Machine, node: Node, scope: Scope): Value {
  const parent = parentOf(machine, node, scope);
  const cls: Cls = { kind: "class", node, scope, parent, fields: new Map() };
  const inner = scope.called(cls);
  const name = wordAt(nodeAt(node, "id"), "name");
  if (name !== "") inner.declare(name, cls);
  for (const one of membersOf(node)) {
    if (one.type === "StaticBlock") machine.run(nodesAt(one, "body"), inner.inner());
    else if (one["static"] === true) cls.fields.set(nameOf(one), valueOf(machine, one, inner));
  }
  return cls;
}

// A loop can put class upon class; what has more above it than anybody writes is not known.
function parentOf(machine: Machine, node: Node, scope: Scope): Value | undefined {
  const superclass = nodeAt(node, "superClass");
  const parent = superclass === undefined ? undefined : machine.evaluate(superclass, scope);
  let above = 0;
  for (let cls = parent; cls?.kind === "class"; cls = cls.parent) above += 1;
  return above > PARENTS_MAX ? UNKNOWN : parent;
}

function membersOf(node: Node): readonly Node[] {
  const body = nodeAt(node, "body");
  return body === undefined ? [] : nodesAt(body, "body").filter((one) => one !== undefined);
}

function nameOf(one: Node): string {
  const key = nodeAt(one, "key");
  return wordAt(key, "name") || wordAt(key, "value");
}

function valueOf(machine: Machine, one: Node, scope: Scope): Value {
  return machine.evaluate(nodeAt(one, "value"), scope);
}

/** A new instance: its fields, and what its constructor does. */
export function instanceOf(machine: Machine, cls: Cls, args: readonly Value[]): Rec {
  const self: Rec = { kind: "record", fields: new Map(), open: false, of: cls };
  construct(machine, cls, args, self);
  return self;
}

/** Also what `super(…)` does to an instance. */
export function construct(machine: Machine, cls: Cls, args: readonly Value[], self: Value): void {
  if (self.kind !== "record" || !machine.step()) return;
  const scope = cls.scope.called(self);
  scope.declare("super", cls.parent ?? UNKNOWN);
  const members = membersOf(cls.node);
  const own = members.find((one) => wordAt(one, "kind") === "constructor");
  if (own === undefined && cls.parent?.kind === "class") construct(machine, cls.parent, args, self);
  if (cls.parent?.kind !== "class" && cls.parent !== undefined) self.open = true;
  for (const one of members) {
    if (one["static"] === true || !one.type.endsWith("PropertyDefinition")) continue;
    self.fields.set(nameOf(one), valueOf(machine, one, scope));
  }
  const fn = own === undefined ? undefined : nodeAt(own, "value");
  if (fn === undefined) return;
  machine.callFunction({ kind: "function", node: fn, scope, self, fields: new Map() }, args, self);
}

/** A method or a getter of an instance's class, or of one above it. */
export function inherited(machine: Machine, self: Rec, name: string, at: At): Value | undefined {
  for (let cls: Value | undefined = self.of; cls?.kind === "class"; cls = cls.parent) {
    const found = membersOf(cls.node).find(
      (one) => one["static"] !== true && nameOf(one) === name && nodeAt(one, "value") !== undefined,
    );
    const node = found === undefined ? undefined : nodeAt(found, "value");
    if (found === undefined || node === undefined) continue;
    const scope = cls.scope.called(self);
    scope.declare("super", cls.parent ?? UNKNOWN);
    const method: Value = { kind: "function", node, scope, self, fields: new Map() };
    return wordAt(found, "kind") === "get" ? machine.call(method, [], at, self) : method;
  }
  return undefined;
}
