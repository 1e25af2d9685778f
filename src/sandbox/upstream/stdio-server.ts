// One local MCP server as the host holds it: a process in the jail, spoken to in lines. It is
// asked; what it asks for itself is refused, and what it says unasked is counted and forgotten.
import { refusal } from "../../kernel/errors.ts";
import type { Refusal } from "../../kernel/errors.ts";
import { VERSION } from "../../kernel/version.ts";
import type { IsolatedProcess } from "../backend.ts";
import { Held, overLimit } from "../held.ts";
import { LineReader, LineTooLong, readMessage } from "./rpc-lines.ts";
import type { JsonObject, ServerMessage } from "./rpc-lines.ts";
import { notMcp, refusedWith } from "./upstream.ts";

/** Newest first; the first is offered. */
const REVISIONS = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
const START_MS_MAX = 15_000;
/** While it is asked something, and while it is not. */
const WATCH_MS = 25;
const IDLE_WATCH_MS = 1000;
const OPEN_MAX = 32;
/** Answers to what was cancelled may still come, once: so many are waited for. */
const CANCELLED_MAX = 1024;
const METHOD_NOT_FOUND = -32_601;
/** A message costs its bytes, and this much for being one. */
const MESSAGE_COST = 1024;
const UNASKED_COST_MAX = 16_777_216;

export interface ServerLimits {
  readonly line_bytes_max: number;
  readonly rss_bytes_max: number;
  readonly cpu_ms_max: number;
}

export type Asked =
  | { readonly ok: true; readonly result: JsonObject; readonly bytes: number }
  /** `sent`: whether it may have reached the server. */
  | { readonly ok: false; readonly refusal: Refusal; readonly sent: boolean };

export class StdioServer {
  /** Resolves once it has greeted, with what it is capable of; rejects where it ends before. */
  readonly ready: Promise<JsonObject>;
  /** Resolves when it is gone, with why. */
  readonly gone: Promise<Refusal>;
  private readonly held: Held;
  private readonly limits: ServerLimits;
  private readonly onListChanged: () => void;
  private readonly open = new Map<number, (answer: Asked) => void>();
  private readonly cancelled = new Set<number>();
  private asked = 0;
  private unasked = 0;
  private last_words = "";

  constructor(
    isolated: IsolatedProcess,
    limits: ServerLimits,
    onListChanged: () => void = () => undefined,
  ) {
    this.limits = limits;
    this.onListChanged = onListChanged;
    this.held = new Held(isolated, limits.rss_bytes_max, (how, said) => {
      this.last_words = said;
      const cause = `the MCP server ended: ${how}`;
      return refusal("downstream_unavailable", { retry_after_ms: 1000, cause });
    });
    this.gone = this.held.gone.then((why) => {
      for (const [id, settle] of this.open) this.settle(id, settle, no(why, true));
      return why;
    });
    this.read(isolated);
    this.ready = this.greet();
    // Who waits for it hears; an end of which nobody waits is no unhandled rejection.
    this.ready.catch(() => undefined);
  }

  get alive(): boolean {
    return this.held.alive;
  }

  /** What it wrote to its standard error before it ended by itself: for who starts it, alone. */
  get lastWords(): string {
    return this.last_words;
  }

  /** Asks it one thing. An abort by a deadline is its end: nobody else would ever be answered. */
  async ask(method: string, params: JsonObject, signal: AbortSignal): Promise<Asked> {
    if (!this.alive) return no(await this.gone, false);
    if (signal.aborted) return no(abortedBy(signal), false);
    if (this.open.size >= OPEN_MAX) return no(tooMany(), false);
    const id = ++this.asked;
    this.unasked = 0;
    this.held.watch(this.limits.cpu_ms_max, WATCH_MS);
    const { promise, resolve } = Promise.withResolvers<Asked>();
    const abort = (): void => this.abandon(id, abortedBy(signal));
    this.open.set(id, resolve);
    signal.addEventListener("abort", abort, { once: true });
    this.send({ id, method, params });
    const answer = await promise;
    signal.removeEventListener("abort", abort);
    return answer;
  }

  /** Ends it now; the first reason counts. */
  destroy(why: Refusal): void {
    this.held.destroy(why);
  }

  private abandon(id: number, why: Refusal): void {
    const settle = this.open.get(id);
    if (settle === undefined) return;
    this.settle(id, settle, no(why, true));
    if (why.code === "timeout") return this.destroy(why);
    this.cancelled.add(id);
    const [oldest = id] = this.cancelled;
    if (this.cancelled.size > CANCELLED_MAX) this.cancelled.delete(oldest);
    this.send({ method: "notifications/cancelled", params: { requestId: id } });
  }

  private settle(id: number, settle: (answer: Asked) => void, answer: Asked): void {
    this.open.delete(id);
    if (this.open.size === 0 && this.alive) {
      this.held.watch(this.limits.cpu_ms_max, IDLE_WATCH_MS);
    }
    settle(answer);
  }

  private async greet(): Promise<JsonObject> {
    const [protocolVersion = ""] = REVISIONS;
    const clientInfo = { name: "doorless", version: VERSION };
    const params = { protocolVersion, capabilities: {}, clientInfo };
    const late = AbortSignal.timeout(START_MS_MAX);
    const greeted = await this.ask("initialize", params, late);
    if (!greeted.ok) return this.failedToStart(greeted.refusal);
    const { protocolVersion: theirs, capabilities } = greeted.result;
    if (!REVISIONS.some((one) => one === theirs)) {
      return this.failedToStart(broke(`it speaks none of ${REVISIONS.join(", ")}`));
    }
    this.send({ method: "notifications/initialized" });
    return typeof capabilities === "object" ? (capabilities as JsonObject) : {};
  }

  private async failedToStart(why: Refusal): Promise<never> {
    this.destroy(why);
    const { cause, reason, code } = await this.gone;
    throw new Error(cause ?? reason ?? code);
  }

  private read({ stdout }: IsolatedProcess): void {
    const reader = new LineReader(this.limits.line_bytes_max);
    stdout.on("data", (chunk: Buffer) => {
      if (this.held.ending) return;
      try {
        for (const line of reader.push(chunk)) this.hear(readMessage(line), line.length);
      } catch (error) {
        const tooLong = error instanceof LineTooLong;
        this.destroy(tooLong ? overLimit("output") : broke((error as Error).message));
      }
    });
  }

  private hear(message: ServerMessage, bytes: number): void {
    if (this.held.ending) return;
    switch (message.kind) {
      case "result":
        return this.answered(message.id, { ok: true, result: message.result, bytes });
      case "error":
        return this.answered(message.id, no(refusedWith(message.code), true));
      case "request":
      case "notification":
        this.unasked += MESSAGE_COST + bytes;
        if (this.unasked > UNASKED_COST_MAX) return this.destroy(overLimit("unasked messages"));
        return message.kind === "request" ? this.refuse(message) : this.note(message.method);
    }
  }

  private answered(id: number, answer: Asked): void {
    const settle = this.open.get(id);
    if (settle !== undefined) this.settle(id, settle, answer);
    else if (!this.cancelled.delete(id)) {
      this.destroy(broke("an answer to something that was not asked"));
    }
  }

  // Nothing of ours is its to ask for: no roots, no model, no questions to the human.
  private refuse({ id, method }: { readonly id: number | string; readonly method: string }): void {
    if (method === "ping") return this.send({ id, result: {} });
    const error = { code: METHOD_NOT_FOUND, message: "Method not found" };
    this.send({ id, error });
  }

  private note(method: string): void {
    if (method === "notifications/tools/list_changed") this.onListChanged();
  }

  private send(message: JsonObject): void {
    this.held.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  }
}

function no(why: Refusal, sent: boolean): Asked {
  return { ok: false, refusal: why, sent };
}

/** What an abort means: somebody's deadline, or that nobody waits any more. */
export function abortedBy({ reason }: AbortSignal): Refusal {
  const late = reason instanceof DOMException && reason.name === "TimeoutError";
  if (!late) return refusal("cancelled");
  return refusal("timeout", { retry_after_ms: 1000 });
}

function tooMany(): Refusal {
  const reason = `${OPEN_MAX} calls of this session wait for this server already.`;
  return refusal("capacity", { reason, retry_after_ms: 500 });
}

function broke(how: string): Refusal {
  return notMcp(how);
}
