// The reader: it goes through the files of a service, values in hand. It is a loop of looking up
// and noting down: there is nothing that it could run, write or ask.
import { nodeAt, nodesAt } from "./ast.ts";
import type { Node } from "./ast.ts";
import { bindPattern } from "./bind.ts";
import { listMethod, runCallbacks, textMethod } from "./builtins.ts";
import { construct, inherited, instanceOf } from "./classes.ts";
import { evaluateNode } from "./expressions.ts";
import { validatorInto } from "./hono.ts";
import { libraryCall } from "./libraries.ts";
import type { Machine } from "./machine.ts";
import { UNREAD } from "./reason.ts";
import type { UnreadReason } from "./reason.ts";
import type { Said } from "./said.ts";
import { askedMember, askedMethod, handedOn, heldAgainst } from "./request.ts";
import { isRouting, routerMethod } from "./router.ts";
import { runStatements } from "./statements.ts";
import { either, flat, NOTHING, plain, UNKNOWN } from "./values.ts";
import type { Asks, At, Fn, Library, List, Rec, Router, Scope, Value } from "./values.ts";
import { zodMember, zodMethod } from "./zod.ts";

const STEPS_MAX = 3_000_000;
const HANDLER_STEPS_MAX = 20_000;
const DEPTH_MAX = 250;
const CALLS_MAX = 40;

/** Who knows the files. */
export interface Files {
  /** What a specifier means. */
  load(specifier: string, at: At, isRequire: boolean): Value;
  /** What lies in a folder; nothing where it is none. */
  names(folder: string): readonly string[] | undefined;
}

export class Reader implements Machine {
  readonly routers: Router[] = [];
  readonly tables = new Map<Node, { readonly record: Rec; readonly at: At }>();
  readonly given = new Set<Node>();
  readonly judged = new Set<Node>();
  readonly ran = new Set<Node>();
  readonly hosting = new Set<Node>();
  readonly shared = new Map<string, Value>();
  readonly callers: At[] = [];
  readonly conditions: At[] = [];
  readonly said: Said;
  heard: ((words: string) => void) | undefined;
  private readonly files: Files;
  private readonly calling: Node[] = [];
  private steps = STEPS_MAX;
  private depth = 0;

  constructor(files: Files, said: Said) {
    this.files = files;
    this.said = said;
  }

  step(): boolean {
    this.steps -= 1;
    return this.steps > 0;
  }

  get isExhausted(): boolean {
    return this.steps <= 0;
  }

  evaluate(node: Node | undefined, scope: Scope): Value {
    if (node === undefined || this.depth > DEPTH_MAX || !this.step()) return UNKNOWN;
    this.depth += 1;
    try {
      return evaluateNode(this, node, scope);
    } finally {
      this.depth -= 1;
    }
  }

  run(statements: readonly (Node | undefined)[], scope: Scope): boolean {
    if (this.depth > DEPTH_MAX) return false;
    this.depth += 1;
    try {
      return runStatements(this, statements, scope);
    } finally {
      this.depth -= 1;
    }
  }

  bind(pattern: Node | undefined, value: Value, scope: Scope): void {
    if (pattern === undefined || this.depth > DEPTH_MAX) return;
    this.depth += 1;
    bindPattern(this, pattern, value, scope);
    this.depth -= 1;
  }

  member(of: Value, name: string, at: At): Value {
    switch (of.kind) {
      case "record":
        return of.fields.get(name) ?? inherited(this, of, name, at) ?? absent(of);
      case "function":
      case "class":
        return of.fields.get(name) ?? UNKNOWN;
      case "module":
        return of.get(name);
      case "library":
        return { ...of, name: of.name === "" ? name : `${of.name}.${name}` };
      case "asked":
        return askedMember(of, name);
      case "schema":
        return zodMember(of, name);
      case "list":
        return listMember(of, name);
      case "router":
        if (isRouting(name)) this.say("call_unknown", at, `.${name} is taken, not called`);
        return UNKNOWN;
      default:
        return UNKNOWN;
    }
  }

  method(of: Value, name: string, args: readonly Value[], at: At): Value {
    switch (of.kind) {
      case "router":
        return routerMethod(this, of, name, args, at);
      case "list":
        return listMethod(this, of, name, args, at);
      case "plain":
        return typeof of.value === "string" ? textMethod(of.value, name, args) : UNKNOWN;
      case "schema":
        return this.schemaMethod(of, name, args, at);
      case "asked":
        return askedMethod(of, name, args) ?? this.call(UNKNOWN, args, at);
      case "function":
        return this.functionMethod(of, name, args, at);
      case "record":
      case "class":
      case "module":
      case "library":
        return this.call(this.member(of, name, at), args, at, of);
      default:
        return this.call(UNKNOWN, args, at);
    }
  }

  private functionMethod(of: Fn, name: string, args: readonly Value[], at: At): Value {
    const [self = UNKNOWN, ...rest] = args;
    if (name === "call") return this.call(of, rest, at, self);
    if (name === "apply")
      return this.call(of, rest[0]?.kind === "list" ? rest[0].items : [], at, self);
    if (name === "bind") return { ...of, self };
    return this.call(of.fields.get(name) ?? UNKNOWN, args, at);
  }

  private schemaMethod(of: Value, name: string, args: readonly Value[], at: At): Value {
    if (of.kind !== "schema") return UNKNOWN;
    if (/^(?:safe)?(?:parse|decode|encode)(?:Async)?$/i.test(name)) {
      heldAgainst(this, of, args[0] ?? UNKNOWN, at);
      return UNKNOWN;
    }
    const made = zodMethod(this, of, name, args, at);
    if (made === undefined) this.say("schema_unread", at, `.${name}(…)`);
    return made ?? of;
  }

  call(callee: Value, args: readonly Value[], at: At, self?: Value): Value {
    switch (callee.kind) {
      case "function":
        this.callers.push(at);
        try {
          return this.callFunction(callee, args, self);
        } finally {
          this.callers.pop();
        }
      case "library":
        return libraryCall(this, callee, args, at);
      case "class":
        if (self !== undefined) construct(this, callee, args, self);
        return UNKNOWN;
      case "module": {
        const inner = callee.get("default");
        return this.call(inner.kind === "module" ? UNKNOWN : inner, args, at);
      }
      default:
        if (args.some((one) => one.kind === "router") && callee.kind !== "router") {
          this.say("app_given_away", at, "");
        }
        handedOn(args);
        runCallbacks(this, args, at);
        return UNKNOWN;
    }
  }

  instantiate(of: Value, args: readonly Value[], at: At): Value {
    if (of.kind === "class") return this.guarded(of.node, () => instanceOf(this, of, args));
    return this.call(of, args, at);
  }

  callFunction(fn: Fn, args: readonly Value[], self?: Value): Value {
    this.ran.add(fn.node);
    return this.guarded(fn.node, () => {
      const scope = fn.scope.called(fn.self ?? self);
      for (const [i, parameter] of nodesAt(fn.node, "params").entries()) {
        const isRest = parameter?.type === "RestElement";
        const rest: Value = { kind: "list", items: args.slice(i), open: false };
        this.bind(parameter, isRest ? rest : (args[i] ?? UNKNOWN), scope);
      }
      const body = nodeAt(fn.node, "body");
      if (body?.type !== "BlockStatement") return this.evaluate(body, scope);
      this.run(nodesAt(body, "body"), scope);
      return scope.frame.returns.reduce<Value>((a, b) => either(a, b), NOTHING);
    });
  }

  /** Neither too deep nor round and round. */
  private guarded(node: Node, what: () => Value): Value {
    const again = this.calling.filter((one) => one === node).length;
    if (again > 1 || this.calling.length > CALLS_MAX) return UNKNOWN;
    this.calling.push(node);
    try {
      return what();
    } finally {
      this.calling.pop();
    }
  }

  names(folder: string): readonly string[] | undefined {
    return this.files.names(folder);
  }

  load(specifier: string, at: At): Value {
    return this.files.load(specifier, at, at.node.type === "CallExpression");
  }

  handle(handler: Value, asks: Asks, at: At): void {
    if (handler.kind === "list") for (const one of flat([handler])) this.handle(one, asks, at);
    else if (handler.kind === "function") {
      asks.isHandled = true;
      const before = this.steps;
      this.steps = Math.min(before, HANDLER_STEPS_MAX);
      const spent = this.steps;
      const conditions = this.conditions.splice(0);
      this.callFunction(handler, [{ kind: "asked", part: "root", asks }]);
      this.conditions.push(...conditions);
      if (this.steps <= 0) this.say("schema_unread", at, "a handler longer than what is followed");
      this.steps = before - (spent - this.steps);
    } else if (handler.kind === "library") this.handleLibrary(handler, asks, at);
  }

  private handleLibrary(handler: Library, asks: Asks, at: At): void {
    if (validatorInto(this, asks, handler, at)) return;
    if (VALIDATORS.test(handler.from)) this.say("schema_unread", at, handler.from);
    for (const one of handler.args) if (one.kind === "function") this.handle(one, asks, at);
  }

  cut(what: string): void {
    this.said.sayOf("too_many_steps", { file: "", line: 0 }, what);
  }

  say(reason: UnreadReason, { node, scope }: At, detail: string): void {
    this.heard?.(`${UNREAD[reason]}${detail === "" ? "" : `: ${detail}`}`);
    this.said.say(reason, scope.source, node, detail);
  }
}

const VALIDATORS = /valid|celebrate|joi|yup/i;

function absent(of: Rec): Value {
  return of.open || of.of !== undefined ? UNKNOWN : NOTHING;
}

function listMember({ items, open }: List, name: string): Value {
  if (name === "length" && !open) return plain(items.length);
  return items[/^\d+$/.test(name) ? Number(name) : -1] ?? UNKNOWN;
}
