// The stdio bridge: one client's messages to a doorless over HTTP, and back. No policy, no vault,
// no ledger is in here; whoever replaces it gains nothing (DESIGN section 5).
import { randomUUID } from "node:crypto";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { JSONRPCMessage } from "@modelcontextprotocol/client";
import { failed } from "./failed.ts";
import { openLines } from "./lines.ts";
import { cancelledBy, isListen, isModern, isRequest } from "./message.ts";
import type { Answer, Id, Request } from "./message.ts";
import { openSignedOut, openUpstream } from "./side.ts";
import type { Side, TokenSource } from "./side.ts";

const SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId";
const CHANGED = "notifications/tools/list_changed";
/** What runs when the client closes its end has this long to be answered. */
const DRAIN_MS = 10_000;
/** A subscription that broke off is taken up again after so long, then after twice as long. */
const AGAIN_MS = 1000;
const AGAIN_MS_MAX = 30_000;

export interface BridgeOptions {
  /** Finds the doorless to talk to; asked when somebody is signed in. */
  readonly connect: () => Promise<URL>;
  readonly tokens: TokenSource;
  readonly onNote: (text: string) => void;
  readonly stdin?: Readable;
  readonly stdout?: Writable;
  readonly drain_ms?: number;
  readonly again_ms?: number;
}

/** Runs until the client closes its end, and what it asked is answered. */
export async function runBridge(options: BridgeOptions): Promise<void> {
  const { stdin = process.stdin, stdout = process.stdout, onNote, tokens } = options;
  const bridge = new Bridge((message) => lines.write(message), options);
  const lines = openLines(stdin, stdout, (message) => bridge.take(message), onNote);
  const forget = tokens.onChange(() => bridge.look());
  await Promise.race([lines.ended, lines.gone]);
  forget();
  // Whoever does not read any more is not waited for.
  const patience = new AbortController();
  const { signal } = patience;
  const late = sleep(options.drain_ms ?? DRAIN_MS, undefined, { signal }).catch(() => undefined);
  await Promise.race([bridge.drained(), lines.gone, late]);
  patience.abort();
  await bridge.end();
  lines.close();
}

/** A request that has no answer yet. */
interface Running {
  readonly request: Request;
  /** The bridge's own, a handshake: its client did not ask, and gets no answer. */
  readonly is_ours: boolean;
  readonly controller: AbortController;
  readonly done: PromiseWithResolvers<void>;
  /** Where it went; nowhere while it waits for its turn. */
  side: Side | undefined;
  /** Of a subscription: whether its client was told that it stands. */
  stands: boolean;
  /** Of a subscription that broke off: how long until it is asked for again. */
  again_ms: number;
}

class Bridge {
  private readonly write: (message: JSONRPCMessage) => void;
  private readonly options: BridgeOptions;
  private readonly running = new Map<Id, Running>();
  private side: Side | undefined;
  /** Sides that are left, and answer what they were asked. */
  private readonly left = new Set<Side>();
  /**
   * What the current side asked its client: its own id, by the one that the client got. Each side
   * counts from 0, and a yes to one question must never be one to another.
   */
  private readonly asked = new Map<Id, Id>();
  /** The 2025 handshake: each new side gets it, too. */
  private hello: Request | undefined;
  private greeted = false;
  /** One message after the other, each after whatever has to come before it. */
  private turn: Promise<void> = Promise.resolve();
  private has_ended = false;

  constructor(write: (message: JSONRPCMessage) => void, options: BridgeOptions) {
    this.write = write;
    this.options = options;
  }

  /** One message of the client's. */
  take(message: JSONRPCMessage): void {
    if (this.cancels(message)) return;
    if (isRequest(message)) this.run(message);
    this.inTurn(() => this.pass(message));
  }

  /** Somebody signed in or out: the client's tools are others now. */
  look(again_ms = this.options.again_ms ?? AGAIN_MS): void {
    this.inTurn(async () => {
      try {
        await this.sideNow();
      } catch (error) {
        // A client that has no tools has nothing to say either, so that this would be tried again.
        setTimeout(() => this.look(twice(again_ms)), again_ms).unref();
        throw error;
      }
    });
  }

  /** When everything is answered that will be. */
  async drained(): Promise<void> {
    await this.turn;
    const answered = [...this.running.values()].filter(
      ({ request, is_ours }) => !isListen(request) && !is_ours,
    );
    await Promise.all(answered.map(({ done }) => done.promise));
  }

  /** Cancels what still runs, and lets go of both sides. */
  async end(): Promise<void> {
    this.has_ended = true;
    await Promise.all([...this.running.values()].map((one) => this.abandon(one)));
    this.running.clear();
    const sides = [...this.left, ...(this.side === undefined ? [] : [this.side])];
    await Promise.all(sides.map((side) => side.close()));
  }

  private async abandon({ request, is_ours, side, controller }: Running): Promise<void> {
    // In the 2025 eras a connection that is lost cancels nothing.
    if (side !== undefined && !is_ours && !isModern(request)) {
      const params = { requestId: request.id, reason: "the client closed its end" };
      const method = "notifications/cancelled";
      await side.send({ jsonrpc: "2.0", method, params }).catch(() => undefined);
    }
    controller.abort();
  }

  private inTurn(work: () => Promise<void>): void {
    const unlessEnded = async (): Promise<void> => (this.has_ended ? undefined : work());
    this.turn = this.turn.then(unlessEnded).catch((error: unknown) => this.note(error));
  }

  private note(error: unknown): void {
    this.options.onNote(error instanceof Error ? error.message : "unknown error");
  }

  private run(request: Request, is_ours = false): Running {
    const controller = new AbortController();
    const done = Promise.withResolvers<void>();
    const again_ms = this.options.again_ms ?? AGAIN_MS;
    const state = { side: undefined, stands: false, again_ms };
    const running: Running = { request, is_ours, controller, done, ...state };
    this.running.set(request.id, running);
    return running;
  }

  private async pass(message: JSONRPCMessage): Promise<void> {
    const mine = isRequest(message) ? this.running.get(message.id) : undefined;
    // It was cancelled before its turn came.
    if (isRequest(message) && mine === undefined) return;
    let side: Side;
    try {
      side = await this.sideNow();
    } catch (error) {
      if (mine === undefined) throw error;
      return this.isRunning(mine) ? this.answerFailure(mine, error) : undefined;
    } finally {
      if ("method" in message && message.method === "notifications/initialized")
        this.greeted = true;
    }
    if (!("method" in message)) return this.passAnswer(side, message);
    if (mine === undefined) return side.send(message);
    // It was cancelled meanwhile.
    if (!this.isRunning(mine)) return undefined;
    this.ask(side, mine);
    if (mine.request.method !== "initialize" || isModern(message)) return undefined;
    this.hello = mine.request;
    return mine.done.promise;
  }

  // What nobody asked, asked no more, or had an answer to, goes nowhere.
  private async passAnswer(side: Side, message: Answer): Promise<void> {
    const id = message.id === undefined ? undefined : this.asked.get(message.id);
    if (message.id === undefined || id === undefined) return;
    this.asked.delete(message.id);
    await side.send({ ...message, id });
  }

  private ask(side: Side, running: Running): void {
    const { request, controller } = running;
    running.side = side;
    const { signal } = controller;
    // A stream ends after its answer, too.
    const isStill = (): boolean => running.side === side && this.isRunning(running);
    const fail = (error: unknown): void => {
      if (!isStill()) return;
      if (running.stands) this.askAgain(running);
      else this.answerFailure(running, error);
    };
    const onEnd = (): void => fail(new Error("the connection broke off"));
    side.send(request, { signal, onEnd }).catch(fail);
  }

  // A stream ends with the token that opened it, which its client knows nothing of.
  private askAgain(running: Running): void {
    const { again_ms } = running;
    running.again_ms = twice(again_ms);
    const ask = async (): Promise<void> => {
      if (!this.isRunning(running)) return;
      try {
        const side = await this.sideNow();
        // Whoever goes over to another side takes it along.
        if (this.isRunning(running)) this.ask(side, running);
      } catch (error) {
        this.askAgain(running);
        throw error;
      }
    };
    setTimeout(() => this.inTurn(ask), again_ms).unref();
  }

  private async sideNow(): Promise<Side> {
    const now = await this.options.tokens.current();
    if (this.side !== undefined && this.side.who === now?.who) return this.side;
    const before = this.side;
    const side = await this.open(now?.who);
    if (this.hello !== undefined) await this.greet(side, this.hello);
    this.side = side;
    this.asked.clear();
    if (before === undefined) return side;
    this.left.add(before);
    const listening = [...this.running.values()].filter(({ request }) => isListen(request));
    for (const one of listening) this.carry(one, side);
    this.closeIfDone(before);
    if (this.greeted) this.write({ jsonrpc: "2.0", method: CHANGED });
    return side;
  }

  private async open(who: string | undefined): Promise<Side> {
    const { tokens, connect, onNote } = this.options;
    const hear = (message: JSONRPCMessage, side: Side): void => this.down(message, side);
    if (who === undefined) return openSignedOut(tokens.command, hear, onNote);
    return openUpstream(await connect(), who, tokens, hear);
  }

  // The client has had its handshake; this one's answer is for us.
  private async greet(side: Side, hello: Request): Promise<void> {
    const mine = this.run({ ...hello, id: randomUUID() }, true);
    this.ask(side, mine);
    try {
      await mine.done.promise;
      if (!this.greeted) return;
      await side.send({ jsonrpc: "2.0", method: "notifications/initialized" });
    } catch (error) {
      void side.close();
      throw error;
    }
  }

  private carry(before: Running, side: Side): void {
    const next = this.run(before.request);
    next.stands = before.stands;
    this.ask(side, next);
    before.controller.abort();
    this.tellChanged(next);
  }

  private tellChanged({ request }: Running): void {
    const wanted = (request.params as { notifications?: { toolsListChanged?: unknown } })
      .notifications;
    if (wanted?.toolsListChanged !== true) return;
    const _meta = { [SUBSCRIPTION]: request.id };
    this.write({ jsonrpc: "2.0", method: CHANGED, params: { _meta } });
  }

  private closeIfDone(side: Side): void {
    if (!this.left.has(side)) return;
    for (const running of this.running.values()) if (running.side === side) return;
    this.left.delete(side);
    void side.close();
  }

  private cancels(message: JSONRPCMessage): boolean {
    const id = cancelledBy(message);
    const mine = id === undefined ? undefined : this.running.get(id);
    if (mine === undefined) return false;
    const { side, request, controller } = mine;
    // In 2026-07-28, cancelling is closing the request; what was not sent yet, nobody must hear of.
    if (side !== undefined && !isModern(request)) {
      side.send(message).catch((error: unknown) => this.note(error));
    }
    this.settle(mine);
    controller.abort();
    return true;
  }

  private down(message: JSONRPCMessage, side: Side): void {
    if (!("method" in message)) {
      const mine = message.id === undefined ? undefined : this.running.get(message.id);
      if (mine === undefined || mine.side !== side) return;
      if (mine.request.method === "initialize" && "result" in message) {
        const version = message.result["protocolVersion"];
        if (typeof version === "string") side.setProtocolVersion(version);
      }
      if (mine.is_ours && "error" in message)
        return this.answerFailure(mine, new Error(message.error.message));
      this.settle(mine);
      if (!mine.is_ours) this.write(message);
      return;
    }
    if (side === this.side && !this.isKnownAlready(message)) this.write(this.renamed(message));
  }

  // A question, and that it is asked no more, with an id that no other question ever has.
  private renamed(message: JSONRPCMessage): JSONRPCMessage {
    if (isRequest(message)) {
      const id = randomUUID();
      this.asked.set(id, message.id);
      return { ...message, id };
    }
    const requestId = cancelledBy(message);
    const [known] = [...this.asked].find(([, theirs]) => theirs === requestId) ?? [];
    if (known === undefined || !("method" in message)) return message;
    this.asked.delete(known);
    return { ...message, params: { ...message.params, requestId: known } };
  }

  // That a subscription stands is said once; when it stands again, its client may have missed one.
  private isKnownAlready(message: JSONRPCMessage): boolean {
    if (!("method" in message)) return false;
    if (message.method !== "notifications/subscriptions/acknowledged") return false;
    const meta = (message.params as { _meta?: Record<string, Id> } | undefined)?._meta;
    const id = meta?.[SUBSCRIPTION];
    const mine = id === undefined ? undefined : this.running.get(id);
    if (mine === undefined) return false;
    const { stands, again_ms } = mine;
    const first_ms = this.options.again_ms ?? AGAIN_MS;
    if (stands && again_ms > first_ms) this.tellChanged(mine);
    mine.stands = true;
    mine.again_ms = first_ms;
    return stands;
  }

  private isRunning(running: Running): boolean {
    return this.running.get(running.request.id) === running;
  }

  private settle(running: Running): void {
    const { request, side, done } = running;
    if (this.isRunning(running)) this.running.delete(request.id);
    done.resolve();
    if (side !== undefined) this.closeIfDone(side);
  }

  // The client hears of every request.
  private answerFailure(running: Running, error: unknown): void {
    const { request, is_ours, done } = running;
    // Whoever repeats a handshake hears why it failed.
    if (is_ours) done.reject(error);
    this.settle(running);
    if (!is_ours) this.write(failed(request, error, this.options.onNote));
  }
}

function twice(again_ms: number): number {
  return Math.min(again_ms * 2, AGAIN_MS_MAX);
}
