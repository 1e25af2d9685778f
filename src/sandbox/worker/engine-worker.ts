// A worker for one run of generated code: QuickJS, compiled to WebAssembly, inside this process.
// The guest has the language, `api` and `print`, and nothing else: no Node, no files, no network,
// no clock that it could wait with. Values cross as JSON text, never as objects.
import { newQuickJSWASMModule } from "quickjs-emscripten";
import type { QuickJSContext, QuickJSDeferredPromise, QuickJSHandle } from "quickjs-emscripten";
import { flawOf } from "../frames.ts";
import type { Frame } from "../frames.ts";
import { openChannel } from "./channel.ts";

const MEMORY_BYTES_MAX = 64 * 1024 * 1024;
/** Above this a deep recursion overflows the host's stack instead of the guest's. */
const STACK_BYTES_MAX = 128 * 1024;

interface Run {
  readonly context: QuickJSContext;
  readonly waiting: Map<number, QuickJSDeferredPromise>;
  readonly output_chars_max: number;
  /** A bound that was met; from then on nothing of the guest runs. */
  limit: string | undefined;
  output: string;
  asked: number;
  over: boolean;
}

/** Runs in the guest before its code, and keeps what it needs of the language to itself. */
const PRELUDE = `
(function (tools, code, ask, print, end) {
  "use strict";
  const { parse, stringify } = JSON;
  const { freeze, assign, defineProperty } = Object;
  const api = {};
  for (const { name, stopped } of parse(tools)) {
    const value = async (args = {}) => {
      const answer = parse(await ask(name, stringify(args) ?? "null"));
      if (answer.ok) return answer.value;
      throw assign(new Error(answer.error.message), answer.error);
    };
    defineProperty(api, name, { value, enumerable: !stopped });
  }
  const show = (value) => (typeof value === "string" ? value : (stringify(value) ?? String(value)));
  const said = (...values) => void print(values.map(show).join(" "));
  const describe = (error) =>
    error instanceof Error ? error.name + ": " + error.message : "threw " + show(error);
  const run = async () => {
    const AsyncFunction = (async () => {}).constructor;
    const value = await new AsyncFunction("api", "print", code)(freeze(api), said);
    const json = value === undefined ? "null" : stringify(value);
    if (json === undefined) throw new TypeError("the returned value has no JSON");
    return json;
  };
  run().then((json) => void end("value", json), (error) => void end("error", describe(error)));
})
`;

const quickjs = await newQuickJSWASMModule();
let run: Run | undefined;
const send = openChannel(onFrame);
warmUp();
send({ t: "ready" });

function onFrame(frame: Frame): void {
  if (frame.t === "run") guarded(() => start(frame));
  else if (frame.t === "answer") guarded(() => settle(frame));
}

// The engine itself threw: its state is not to be trusted any more, and this process ends.
function guarded(step: () => void): void {
  try {
    step();
  } catch {
    finish({ t: "limit", what: "stack" });
  }
}

function start(frame: Frame): void {
  const runtime = quickjs.newRuntime();
  runtime.setMemoryLimit(MEMORY_BYTES_MAX);
  runtime.setMaxStackSize(STACK_BYTES_MAX);
  const context = runtime.newContext();
  const until_ms = performance.now() + Number(frame["timeout_ms"]);
  const mine: Run = {
    context,
    waiting: new Map(),
    output_chars_max: Number(frame["output_chars_max"]),
    limit: undefined,
    output: "",
    asked: 0,
    over: false,
  };
  run = mine;
  runtime.setInterruptHandler(() => {
    if (performance.now() > until_ms) mine.limit ??= "time";
    return mine.limit !== undefined;
  });
  const prelude = context.unwrapResult(context.evalCode(PRELUDE, "doorless"));
  const tools = context.newString(JSON.stringify(frame["tools"]));
  const code = context.newString(String(frame["code"]));
  const given = [tools, code, asking(mine), printing(mine), ending(mine)];
  const called = context.callFunction(prelude, context.undefined, ...given);
  if (called.error !== undefined) throw new Error("the prelude failed");
  pump(mine);
}

function asking(mine: Run): QuickJSHandle {
  const { context } = mine;
  return context.newFunction("ask", (tool, args) => {
    const id = ++mine.asked;
    const json = context.getString(args);
    const request = { t: "request", id, tool: context.getString(tool), args: parse(json) };
    const flaw = flawOf(request);
    if (flaw !== undefined) return context.newString(refusalOf(`What was given ${flaw}.`));
    const deferred = context.newPromise();
    mine.waiting.set(id, deferred);
    send(request);
    return deferred.handle;
  });
}

function printing(mine: Run): QuickJSHandle {
  return mine.context.newFunction("print", (text) => {
    mine.output += `${mine.context.getString(text)}\n`;
    if (mine.output.length > mine.output_chars_max) mine.limit ??= "output";
  });
}

function ending(mine: Run): QuickJSHandle {
  const { context } = mine;
  return context.newFunction("end", (kind, text) => {
    const said = context.getString(text);
    if (context.getString(kind) === "value") {
      const answer = { t: "value", value: parse(said), output: mine.output };
      const flaw = flawOf(answer);
      finish(flaw === undefined ? answer : { t: "threw", message: `the returned value ${flaw}` });
    } else if (said === "InternalError: out of memory") finish({ t: "limit", what: "memory" });
    else finish({ t: "threw", message: said });
  });
}

function parse(json: string): unknown {
  return JSON.parse(json) as unknown;
}

/** An answer to a call that was not made, in the words of the gate. */
function refusalOf(message: string): string {
  return JSON.stringify({ ok: false, error: { code: "invalid_arguments", message } });
}

function settle(frame: Frame): void {
  const id = Number(frame["id"]);
  const deferred = run?.waiting.get(id);
  if (run === undefined || deferred === undefined) return;
  run.waiting.delete(id);
  deferred.resolve(run.context.newString(JSON.stringify(frame["answer"])));
  pump(run);
}

/** Runs what can run; when nothing can and nothing is awaited, the guest never ends by itself. */
function pump(mine: Run): void {
  const ran = mine.context.runtime.executePendingJobs();
  ran.dispose();
  if (mine.limit !== undefined || mine.waiting.size === 0) {
    finish({ t: "threw", message: "the code waits for something that never comes" });
  }
}

function finish(frame: Frame): void {
  if (run?.over === true) return;
  if (run !== undefined) run.over = true;
  // A bound that was met is what the run ended with, whatever the guest made of it.
  send(run?.limit === undefined ? frame : { t: "limit", what: run.limit });
}

// WebAssembly is compiled function by function at first use: a guest should not wait for that.
function warmUp(): void {
  const context = quickjs.newContext();
  const names = ["tools", "code", "ask", "print", "end"];
  const nothing = names.map((name) => `const ${name} = () => "[]";`).join("");
  context
    .evalCode(`${nothing} (${PRELUDE})('[{"name":"a"}]', "print([api, 1])", ask, print, end)`)
    .dispose();
  context.runtime.executePendingJobs().dispose();
  context.dispose();
}
