/** A loopback HTTP listener that can be taken down and brought back on its port. */

import { once } from "node:events";
import { createServer, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const LOOPBACK = "127.0.0.1";
const REQUEST_TIMEOUT_MS = 15_000;

export interface Listener {
  readonly origin: string;
  serve(handler: RequestListener): void;
  /** Connections are refused until `up`. */
  down(): Promise<void>;
  up(): Promise<void>;
}

/** `rather`: a port to take instead, where it is free. */
export async function listen(wanted_port: number, rather?: number): Promise<Listener> {
  let handler: RequestListener = starting;
  let hosts = new Set<string>();
  const server = createServer((request, response) => {
    // A page on the web that rebinds its name to 127.0.0.1 must not read this world.
    if (!hosts.has(request.headers.host ?? "")) {
      refuse(response, 421, "misdirected_request");
      return;
    }
    handler(request, response);
  });
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.headersTimeout = REQUEST_TIMEOUT_MS;

  async function open(port: number): Promise<number> {
    server.listen({ host: LOOPBACK, port });
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  }

  const port = await open(rather ?? wanted_port).catch((error: unknown) => {
    if (rather === undefined || !isTaken(error)) throw error;
    return open(wanted_port);
  });
  hosts = new Set([`${LOOPBACK}:${port}`, `localhost:${port}`]);

  return {
    origin: `http://${LOOPBACK}:${port}`,
    serve(next) {
      handler = next;
    },
    async down() {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
    async up() {
      if (!server.listening) await open(port);
    },
  };
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EADDRINUSE";
}

const starting: RequestListener = (_request, response) => refuse(response, 503, "starting");

function refuse(response: ServerResponse, status: number, error: string): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ error, message: `This server cannot answer: ${error}.` }));
}
