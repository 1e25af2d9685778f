// HTTP by hand, on a raw socket: what no client library would agree to send.
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";

export interface Reply {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** Opens a connection that remembers everything it receives. */
export class Line {
  readonly socket: Socket;
  received = "";
  private ended = false;
  private readonly over: Promise<void>;
  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      this.received += text;
    });
    // A reset is an answer too.
    socket.on("error", () => undefined);
    this.over = new Promise((resolve) => {
      socket.once("close", () => {
        this.ended = true;
        resolve();
      });
    });
  }

  static async open(origin: string): Promise<Line> {
    const { hostname, port } = new URL(origin);
    const socket = connect({ host: hostname, port: Number(port) });
    await once(socket, "connect");
    return new Line(socket);
  }

  send(text: string | Buffer): void {
    if (!this.ended) this.socket.write(text);
  }

  /** Resolves with everything received, once the other side has closed. */
  async closed(): Promise<string> {
    await this.over;
    return this.received;
  }

  /** Resolves when what was received matches. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.received)) {
      if (this.ended) throw new Error(`closed before ${String(pattern)}: ${this.received}`);
      const more = new Promise((resolve) => this.socket.once("data", resolve));
      await Promise.race([more, this.over]);
    }
    return this.received;
  }

  close(): void {
    this.socket.destroy();
  }
}

/** Sends lines joined by CRLF (or bytes as they are) and waits until the server hangs up. */
export async function exchange(origin: string, request: readonly string[] | Buffer) {
  const line = await Line.open(origin);
  line.send(Buffer.isBuffer(request) ? request : request.join("\r\n"));
  return line.closed();
}

/** The first reply in what was received; status 0 where there is none. */
export function readReply(received: string): Reply {
  const end = received.indexOf("\r\n\r\n");
  const head = end === -1 ? received : received.slice(0, end);
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0);
  return { status, head, body: end === -1 ? "" : received.slice(end + 4) };
}
