// The parent's end: a child program that is ready when it says so, asked by name, ended by its id.
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Message, Usage } from "./child-side.ts";

export interface Child {
  readonly pid: number;
  /** What it said when it was ready. */
  readonly ready: Message;
  /** Everything that it wrote to stderr so far. */
  stderr(): string;
  ask<T>(verb: string, given?: Message): Promise<T>;
  usage(): Promise<Usage>;
  /** Resolves with the first message that has this key, also one that came before. */
  met(key: string): Promise<Message>;
  /** SIGKILL, and the wait for its end. */
  kill(): Promise<void>;
  /** In order. */
  stop(): Promise<void>;
}

export interface ChildOptions {
  readonly args?: readonly string[];
  readonly execArgv?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** The program ended before it was ready. */
class ChildFailed extends Error {
  override readonly name = "ChildFailed";
}

/** Starts `program` and waits until it says `{ ready: true }`. */
export async function startChild(program: string, options: ChildOptions = {}): Promise<Child> {
  const child = fork(program, [...(options.args ?? [])], {
    execArgv: ["--conditions=doorless-source", "--disable-sigusr1", ...(options.execArgv ?? [])],
    stdio: ["ignore", "inherit", "pipe", "ipc"],
    env: { ...process.env, ...options.env },
  });
  const kept = new Kept(child);
  const ready = await Promise.race([kept.met("ready"), kept.ended.then(() => undefined)]);
  if (ready === undefined) throw new ChildFailed(`${program} ended at once:\n${kept.stderr}`);
  return {
    pid: child.pid ?? 0,
    ready,
    stderr: () => kept.stderr,
    ask: <T>(verb: string, given: Message = {}) => kept.ask(verb, given) as Promise<T>,
    usage: () => kept.ask("usage", {}) as Promise<Usage>,
    met: (key) => kept.met(key),
    async kill() {
      child.kill("SIGKILL");
      await kept.ended;
    },
    async stop() {
      if (child.connected) child.send({ ask: "stop" });
      await kept.ended;
    },
  };
}

class Kept {
  stderr = "";
  readonly ended: Promise<unknown>;
  private readonly child: ChildProcess;
  private readonly messages: Message[] = [];
  private readonly waiting = new Map<number, (value: unknown) => void>();
  private readonly listeners = new Set<() => void>();
  private asked = 0;

  constructor(child: ChildProcess) {
    this.child = child;
    this.ended = once(child, "exit");
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    child.on("message", (message: Message) => {
      const answered = this.waiting.get(Number(message["id"]));
      if (answered !== undefined) return answered(message["value"]);
      this.messages.push(message);
      for (const listener of this.listeners) listener();
    });
  }

  met(key: string): Promise<Message> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.messages.find((message) => key in message);
        if (found === undefined) return;
        this.listeners.delete(look);
        resolve(found);
      };
      this.listeners.add(look);
      look();
    });
  }

  ask(verb: string, given: Message): Promise<unknown> {
    const id = ++this.asked;
    const answer = new Promise((resolve) => this.waiting.set(id, resolve));
    this.child.send({ ...given, ask: verb, id });
    const gone = this.ended.then(() => {
      throw new ChildFailed(`it ended while asked to ${verb}:\n${this.stderr}`);
    });
    return Promise.race([answer, gone]).finally(() => this.waiting.delete(id));
  }
}
