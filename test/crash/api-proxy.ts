// Stands before the SaaS, and can keep a request from it, or its answer from doorless.
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

type Hold = "request" | "answer";

export interface ApiProxy {
  readonly origin: string;
  /** From now on every request stops there. Resolves when the first one has. */
  hold(what: Hold): Promise<void>;
  /** Everything passes again; what was held is dropped. */
  free(): void;
  close(): Promise<void>;
}

export async function openApiProxy(api: string): Promise<ApiProxy> {
  let holding: Hold | undefined;
  let onHeld = (): void => undefined;
  const pass = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const body = await buffer(req);
    if (holding === "request") return onHeld();
    const { host: _host, connection: _connection, ...headers } = req.headers;
    const answer = await fetch(api + (req.url ?? "/"), {
      method: req.method ?? "GET",
      headers: headers as Record<string, string>,
      ...(body.length === 0 ? {} : { body: new Uint8Array(body) }),
    });
    const text = await answer.text();
    if (holding === "answer") return onHeld();
    const { status } = answer;
    const request_id = answer.headers.get("x-request-id") ?? "";
    res.writeHead(status, { "content-type": "application/json", "x-request-id": request_id });
    res.end(text);
  };
  const server = createServer((req, res) => {
    pass(req, res).catch(() => res.destroy());
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hold(what) {
      holding = what;
      return new Promise((resolve) => {
        onHeld = resolve;
      });
    },
    free() {
      holding = undefined;
    },
    async close() {
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeAllConnections();
      await closed;
    },
  };
}
