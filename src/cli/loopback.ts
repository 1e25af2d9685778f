// Where the browser comes back to (RFC 8252 section 7.3): a port on 127.0.0.1 for one request, and
// not for long. And how the browser is told to go: by a program, never through a shell.
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const WAIT_MS_MAX = 300_000;

export interface Loopback {
  readonly redirect_uri: string;
  /** The URL that the browser came to with this state. Rejects after five minutes. */
  came(state: string): Promise<URL>;
  close(): void;
}

export async function openLoopback(): Promise<Loopback> {
  const arrived = Promise.withResolvers<URL>();
  arrived.promise.catch(() => undefined);
  let expected: string | undefined;
  const server = createServer((req, res) => {
    const url = new URL(req.url ?? "/", origin());
    const isIt = req.method === "GET" && url.pathname === "/callback" && expected !== undefined;
    res.setHeader("content-type", "text/html; charset=utf-8");
    res.setHeader("content-security-policy", "default-src 'none'");
    res.setHeader("referrer-policy", "no-referrer");
    res.setHeader("connection", "close");
    if (!isIt || url.searchParams.get("state") !== expected) {
      res.statusCode = 404;
      res.end("There is nothing here.");
      return;
    }
    res.end("<!doctype html><title>doorless</title><p>You can close this page.");
    arrived.resolve(url);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const origin = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const late = setTimeout(() => arrived.reject(new Error("nobody came back in time")), WAIT_MS_MAX);
  return {
    redirect_uri: `${origin()}/callback`,
    came(state) {
      expected = state;
      return arrived.promise;
    },
    close() {
      clearTimeout(late);
      server.close();
      server.closeAllConnections();
    },
  };
}

const OPENERS: Readonly<Record<string, readonly [string, ...string[]]>> = {
  darwin: ["/usr/bin/open"],
  linux: ["xdg-open"],
  win32: ["rundll32", "url.dll,FileProtocolHandler"],
};

/** Tries to open a browser; whoever sees the URL printed can do it, too. */
export function openBrowser(url: URL): void {
  const opener = OPENERS[process.platform];
  // CVE-2025-6514: an authorization server's URL is data, also to the program that opens it.
  if (opener === undefined || !/^https?:$/.test(url.protocol)) return;
  const [program, ...args] = opener;
  const child = spawn(program, [...args, url.href], { stdio: "ignore", detached: true });
  child.on("error", () => undefined);
  child.unref();
}
