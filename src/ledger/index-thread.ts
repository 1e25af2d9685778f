// The index in a thread of its own: neither following the log nor a question costs the thread that
// serves calls. It is told a number now and then, and reads the files itself.
import { once } from "node:events";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { LogIndexOptions } from "./log-index.ts";
import { AmbiguousUser, BadCursor } from "./query.ts";
import type { AuditFilter, AuditPage, Identity, LedgerIndex, Reader } from "./query.ts";
import { LedgerDamaged } from "./segments.ts";
import type { Tombstone } from "./tombstone.ts";

export type ThreadData = Pick<LogIndexOptions, "folder" | "index_file" | "log_id">;

/** What the index can be asked, and what it answers. */
interface Questions {
  query: { given: { filter: AuditFilter; reader: Reader }; answer: AuditPage };
  identities: { given: string; answer: readonly Identity[] };
  toolLog: { given: string; answer: readonly unknown[] };
  tenants: { given: undefined; answer: readonly (string | null)[] };
  forget: { given: Identity; answer: void };
  linkVersion: { given: string; answer: number };
  tombstoneAt: { given: number; answer: Tombstone };
  drop: { given: number; answer: void };
  orphans: { given: undefined; answer: readonly string[] };
  rebuild: { given: undefined; answer: number };
  close: { given: undefined; answer: void };
}

export type Ask = {
  [Verb in keyof Questions]: { id: number; verb: Verb; given: Questions[Verb]["given"] };
}[keyof Questions];

/** To the thread: follow, a question, or the names it asked for. */
export type ToThread = { follow: number } | Ask | { names: readonly (string | undefined)[] };

/** An error's class does not survive the way; its name does. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly people?: readonly string[];
}

/** From it: ready, an answer, a failure to follow, or users whose names it wants, in order. */
export type FromThread =
  | { held: number }
  | { id: number; value: unknown }
  | { id: number; failure: Failure }
  | { behind: Failure }
  | { users: readonly unknown[] };

const FOLLOW_EVERY_MS = 500;

/** Opens the index in a thread. */
export async function openIndexThread(options: LogIndexOptions): Promise<LedgerIndex> {
  const { folder, index_file, log_id } = options;
  const program = new URL(`index-thread-main${extname(import.meta.url)}`, import.meta.url);
  const workerData: ThreadData = { folder, index_file, log_id };
  // It needs nothing of the environment, and is given nothing.
  const worker = new Worker(program, { workerData, env: {}, name: "ledger index" });
  const [first] = (await once(worker, "message")) as [FromThread];
  if ("held" in first) return new IndexThread(worker, first.held, options);
  throw new Error("the index did not open");
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

class IndexThread implements LedgerIndex {
  readonly held: number;
  private readonly worker: Worker;
  private readonly options: LogIndexOptions;
  private readonly waiting = new Map<number, Waiting>();
  private asked = 0;
  private durable: number;
  private told: number;
  private timer: NodeJS.Timeout | undefined;
  private ended: Error | undefined;

  constructor(worker: Worker, held: number, options: LogIndexOptions) {
    this.worker = worker;
    this.held = held;
    this.durable = held;
    this.told = held;
    this.options = options;
    worker.on("message", (message: FromThread) => this.hear(message));
    worker.on("error", (error) => this.end(error as Error));
    worker.on("exit", () => this.end(new Error("the index has stopped")));
    // A process that only waits for this thread has nothing left to do.
    worker.unref();
  }

  follow(seq: number): void {
    this.durable = seq;
    this.timer ??= setTimeout(() => this.tell(), FOLLOW_EVERY_MS).unref();
  }

  query(filter: AuditFilter, reader: Reader): Promise<AuditPage> {
    return this.ask("query", { filter, reader });
  }

  identities(user: string): Promise<readonly Identity[]> {
    return this.ask("identities", user);
  }

  toolLog(call_id: string): Promise<readonly unknown[]> {
    return this.ask("toolLog", call_id);
  }

  tenants(): Promise<readonly (string | null)[]> {
    return this.ask("tenants", undefined);
  }

  forget(identity: Identity): Promise<void> {
    return this.ask("forget", identity);
  }

  linkVersion(id: string): Promise<number> {
    return this.ask("linkVersion", id);
  }

  tombstoneAt(seq: number): Promise<Tombstone> {
    return this.ask("tombstoneAt", seq);
  }

  drop(seq: number): Promise<void> {
    return this.ask("drop", seq);
  }

  orphans(): Promise<readonly string[]> {
    return this.ask("orphans", undefined);
  }

  rebuild(): Promise<number> {
    return this.ask("rebuild", undefined);
  }

  async close(): Promise<void> {
    try {
      await this.ask("close", undefined);
    } finally {
      await this.worker.terminate();
    }
  }

  private tell(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.durable > this.told) this.send({ follow: this.durable });
    this.told = this.durable;
  }

  private ask<Verb extends keyof Questions>(
    verb: Verb,
    given: Questions[Verb]["given"],
  ): Promise<Questions[Verb]["answer"]> {
    if (this.ended !== undefined) return Promise.reject(this.ended);
    this.tell();
    const id = ++this.asked;
    const { promise, resolve, reject } = Promise.withResolvers<Questions[Verb]["answer"]>();
    this.waiting.set(id, { resolve: resolve as Waiting["resolve"], reject });
    this.worker.ref();
    this.send({ id, verb, given } as Ask);
    return promise.finally(() => {
      this.waiting.delete(id);
      if (this.waiting.size === 0) this.worker.unref();
    });
  }

  private send(message: ToThread): void {
    this.worker.postMessage(message);
  }

  private hear(message: FromThread): void {
    if ("users" in message) return void this.sendNames(message.users);
    if ("behind" in message) return this.options.onBehind(revived(message.behind));
    if (!("id" in message)) return;
    const waiting = this.waiting.get(message.id);
    if ("failure" in message) waiting?.reject(revived(message.failure));
    else waiting?.resolve(message.value);
  }

  private async sendNames(users: readonly unknown[]): Promise<void> {
    try {
      this.send({ names: await this.options.namesOf(users) });
    } catch (error) {
      this.options.onBehind(error);
      this.send({ names: [] });
    }
  }

  private end(error: Error): void {
    if (this.ended !== undefined) return;
    this.ended = error;
    clearTimeout(this.timer);
    if (this.waiting.size > 0) this.options.onBehind(error);
    for (const { reject } of this.waiting.values()) reject(error);
  }
}

function revived({ name, message, people = [] }: Failure): Error {
  switch (name) {
    case "AmbiguousUser":
      return new AmbiguousUser(people, message);
    case "BadCursor":
      return new BadCursor(message);
    case "LedgerDamaged":
      return new LedgerDamaged(message);
    default:
      return new Error(message);
  }
}
