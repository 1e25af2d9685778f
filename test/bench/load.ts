// The load, in a process of its own: raw HTTP/1.1 over kept-alive sockets, each with one request
// under way (closed loop), so that the generator costs little beside the server it measures.
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { serveParent, tell } from "../setup/child-side.ts";
import { openSession, requestText } from "./protocol.ts";
import type { Case, Target } from "./protocol.ts";

export interface Measured {
  readonly requests: number;
  readonly errors: number;
  /** The first wrong answer, cut short. */
  readonly wrong?: string;
  readonly elapsed_ms: number;
  readonly latencies_ms: readonly number[];
}

interface Job {
  readonly target: Target;
  readonly what: Case;
  readonly connections: number;
  readonly duration_ms: number;
}

serveParent({ measure: (given) => measure(given["job"] as Job) });
tell({ ready: true });

async function measure({ target, what, connections, duration_ms }: Job): Promise<Measured> {
  const clients = await Promise.all(
    Array.from({ length: connections }, () => openClient(target, what)),
  );
  const began_ms = performance.now();
  const until_ms = began_ms + duration_ms;
  await Promise.all(clients.map((client) => client.run(until_ms)));
  const elapsed_ms = performance.now() - began_ms;
  await Promise.all(clients.map((client) => client.close()));
  const wrong = clients.find((client) => client.wrong !== undefined)?.wrong;
  return {
    requests: clients.reduce((sum, client) => sum + client.latencies_ms.length, 0),
    errors: clients.reduce((sum, client) => sum + client.errors, 0),
    ...(wrong === undefined ? {} : { wrong }),
    elapsed_ms,
    latencies_ms: clients.flatMap((client) => client.latencies_ms),
  };
}

async function openClient(target: Target, what: Case): Promise<Client> {
  const session = await openSession(target, what.era);
  const socket = connect({ port: target.port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  return new Client(socket, requestText(target, what, session.id), what.expect, session.close);
}

class Client {
  readonly latencies_ms: number[] = [];
  errors = 0;
  wrong: string | undefined;
  private readonly socket: Socket;
  private readonly request: (id: number) => string;
  private readonly expect: string;
  private readonly endSession: () => Promise<void>;
  private answered: ((text: string) => void) | undefined;
  private text = "";

  constructor(
    socket: Socket,
    request: (id: number) => string,
    expect: string,
    endSession: () => Promise<void>,
  ) {
    this.socket = socket;
    this.request = request;
    this.expect = expect;
    this.endSession = endSession;
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => this.read(chunk));
    socket.on("close", () => this.answered?.("closed"));
    socket.on("error", () => undefined);
  }

  async run(until_ms: number): Promise<void> {
    for (let id = 1_000_000; performance.now() < until_ms; id++) {
      const began_ms = performance.now();
      const answer = await this.ask(id);
      this.latencies_ms.push(performance.now() - began_ms);
      if (answer.startsWith("HTTP/1.1 200") && answer.includes(this.expect)) continue;
      this.errors++;
      this.wrong ??= answer.slice(0, 2000);
      if (answer === "closed") return;
    }
  }

  async close(): Promise<void> {
    this.socket.destroy();
    await this.endSession();
  }

  private ask(id: number): Promise<string> {
    return new Promise((resolve) => {
      this.answered = resolve;
      this.socket.write(this.request(id));
    });
  }

  private read(chunk: string): void {
    this.text += chunk;
    if (!isWhole(this.text)) return;
    const answer = this.text;
    this.text = "";
    this.answered?.(answer);
  }
}

function isWhole(text: string): boolean {
  const head_end = text.indexOf("\r\n\r\n");
  if (head_end === -1) return false;
  const [, length] = /\r\ncontent-length: (\d+)\r\n/i.exec(text.slice(0, head_end + 2)) ?? [];
  if (length !== undefined) return text.length >= head_end + 4 + Number(length);
  return text.endsWith("0\r\n\r\n");
}
