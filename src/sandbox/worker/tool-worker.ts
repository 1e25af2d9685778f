// A worker for one code tool: loads its source, says its manifest, runs its calls one at a time.
// Everything that it is given came through the pipe, the source included: it reads no file.
import { registerHooks } from "node:module";
import { runInNewContext } from "node:vm";
import { ApiError, isTool } from "../../tool/index.ts";
import type { RequestParts, Tool } from "../../tool/index.ts";
import type { Frame } from "../frames.ts";
import { openChannel } from "./channel.ts";

const SCHEME = "doorless-tool:";
const AUTHORING = import.meta.resolve("../../tool/index.ts");
const MESSAGE_CHARS_MAX = 2000;
/** Of the web's platform, what a computation needs. The rest of Node is not there. */
const WEB =
  "URL URLSearchParams TextEncoder TextDecoder AbortController AbortSignal Event EventTarget " +
  "DOMException structuredClone queueMicrotask atob btoa setTimeout clearTimeout setInterval " +
  "clearInterval crypto performance";

interface Waiting {
  readonly resolve: (body: unknown) => void;
  readonly reject: (error: ApiError) => void;
}

let source = "";
let tool: Tool | undefined;
let running: AbortController | undefined;
let asked = 0;
const waiting = new Map<number, Waiting>();
const refused = new WeakMap<object, number>();

const send = openChannel(onFrame);
registerHooks({
  resolve(specifier, context, next) {
    if (specifier.startsWith(SCHEME)) {
      return { url: specifier, format: "module", shortCircuit: true };
    }
    if (context.parentURL?.startsWith(SCHEME) !== true) return next(specifier, context);
    if (specifier === "doorless/tool") return next(AUTHORING, context);
    throw new Error(`a tool imports doorless/tool and nothing else, not ${specifier}`);
  },
  load(url, context, next) {
    if (!url.startsWith(SCHEME)) return next(url, context);
    return { format: "module", source, shortCircuit: true };
  },
});
bareGlobals();
send({ t: "ready" });

function bareGlobals(): void {
  const language = runInNewContext("Object.getOwnPropertyNames(globalThis)") as string[];
  const kept = new Set([...language, ...WEB.split(" ")]);
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    if (!kept.has(name)) Reflect.deleteProperty(globalThis, name);
  }
  const line = (...said: unknown[]): void => log(said.map(String).join(" "));
  const value = { debug: line, log: line, info: line, warn: line, error: line };
  Object.defineProperty(globalThis, "console", { value });
}

function onFrame(frame: Frame): void {
  if (frame.t === "load") void load(String(frame["name"]), String(frame["source"]));
  else if (frame.t === "call") void call(frame["input"]);
  else if (frame.t === "answer") settle(frame);
  else if (frame.t === "abort") running?.abort();
}

async function load(tool_name: string, code: string): Promise<void> {
  source = code;
  try {
    const module = (await import(`${SCHEME}${tool_name}`)) as { default?: unknown };
    if (!isTool(module.default)) throw new TypeError("has no `export default defineTool({ ... })`");
    tool = module.default;
    send({ t: "loaded", manifest: tool.manifest });
  } catch (error) {
    const { name, message, at } = describe(error);
    send({ t: "failed", message: `${name}: ${message}${at === "" ? "" : ` (${at})`}` });
  }
}

async function call(input: unknown): Promise<void> {
  running = new AbortController();
  try {
    if (tool === undefined) throw new Error("no tool is loaded");
    const { signal } = running;
    const value = await tool.call({ input, api: { request }, signal, log });
    send({ t: "result", value });
  } catch (error) {
    const request_id = error instanceof ApiError ? refused.get(error) : undefined;
    const met = request_id === undefined ? {} : { request: request_id };
    send({ t: "threw", ...describe(error), ...met });
  }
}

function request(operation: string, parts: RequestParts = {}): Promise<unknown> {
  const id = ++asked;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    const { path = {}, query = {}, body } = parts;
    send({ t: "request", id, operation, path, query, ...(body === undefined ? {} : { body }) });
  });
}

function settle(frame: Frame): void {
  const id = Number(frame["id"]);
  const asker = waiting.get(id);
  waiting.delete(id);
  if (frame["ok"] === true) return asker?.resolve(frame["body"]);
  const status = typeof frame["status"] === "number" ? frame["status"] : undefined;
  const error = new ApiError(String(frame["code"]), String(frame["message"]), status);
  refused.set(error, id);
  asker?.reject(error);
}

function log(message: unknown, fields: Readonly<Record<string, unknown>> = {}): void {
  send({ t: "log", message: text(message), fields });
}

// Where in the tool it happened, for its author; the rest of the stack is ours.
function describe(error: unknown): { name: string; message: string; at: string } {
  if (!(error instanceof Error)) return { name: "", message: text(error), at: "" };
  const place = /doorless-tool:[^)\s]+/.exec(error.stack ?? "");
  return { name: error.name, message: text(error.message), at: place?.[0] ?? "" };
}

function text(value: unknown): string {
  return String(value).slice(0, MESSAGE_CHARS_MAX);
}
