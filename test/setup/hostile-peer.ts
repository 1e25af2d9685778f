// A server on loopback whose every byte a test decides, and that can go down and come back.
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

type Handler = (req: IncomingMessage, res: ServerResponse) => unknown;

export interface Peer {
  readonly origin: string;
  serve(handler: Handler): void;
  /** Refuses connections, and ends those that stand. */
  down(): Promise<void>;
  /** The same port again. */
  up(): Promise<void>;
  close(): Promise<void>;
}

export async function openPeer(): Promise<Peer> {
  let handler: Handler = (_req, res) => void res.writeHead(404).end();
  const server = createServer((req, res) => {
    // A peer that breaks off makes its own handler fail; that is the point of it.
    Promise.resolve()
      .then(() => handler(req, res))
      .catch(() => res.destroy());
  });
  const listen = async (port: number): Promise<void> => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const down = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  };
  return {
    origin: `http://127.0.0.1:${port}`,
    serve(next) {
      handler = next;
    },
    down,
    up: () => (server.listening ? Promise.resolve() : listen(port)),
    close: down,
  };
}

/** One request as a peer received it. */
interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly raw_headers: readonly string[];
  readonly body: string;
}

export interface HostileApi extends Peer {
  readonly seen: Seen[];
  /** Scripts every answer from now on; `undefined` is the honest one. */
  answer: ((res: ServerResponse, seen: Seen) => unknown) | undefined;
  /** Forgets what it saw, and is honest and up again. */
  behave(): Promise<void>;
}

/** The item that the honest API has, whichever one is asked for. */
export const ITEM = { id: "7", name: "a lamp" };

export async function openApi(): Promise<HostileApi> {
  const peer = await openPeer();
  const seen: Seen[] = [];
  const api: HostileApi = Object.assign(peer, {
    seen,
    answer: undefined,
    async behave(): Promise<void> {
      seen.length = 0;
      api.answer = undefined;
      await peer.up();
    },
  });
  peer.serve(async (req, res) => {
    const { method = "", url = "", headers, rawHeaders } = req;
    const one = { method, url, headers, raw_headers: rawHeaders, body: await text(req) };
    seen.push(one);
    if (api.answer !== undefined) await api.answer(res, one);
    else res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(ITEM));
  });
  return api;
}

/** What may be on its way in buffers when the other side has had enough. */
export const FLOOD_TAKEN_MAX = 16 * 1024 * 1024;

let flood_bytes = 0;

/** How many bytes all floods have got rid of so far. */
export function flooded(): number {
  return flood_bytes;
}

/** Writes for ever, as fast as the other side takes it. */
export function flood(res: ServerResponse): void {
  const piece = `"${"x".repeat(65_536)}",`;
  const more = (): void => {
    if (res.destroyed) return;
    flood_bytes += piece.length;
    if (res.write(piece)) setImmediate(more);
    else res.once("drain", more);
  };
  more();
}
