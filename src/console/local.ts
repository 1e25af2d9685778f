// The socket in the data folder: how verbs reach a running doorless. The folder is the owner's
// alone (0700), so whoever can connect is the operating-system user that runs it, or root.
import { randomUUID } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request as sendRequest } from "node:http";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { issueInWords } from "../kernel/in-words.ts";

// sun_path holds 108 bytes on Linux and 104 elsewhere, the closing zero included.
const SOCKET_PATH_BYTES_MAX = 100;
const BODY_BYTES_MAX = 1_048_576;

/** Answers one question; what it throws reaches the asker as `{ error }`. */
export type Answer = (path: string, body: unknown) => Promise<unknown>;

export interface LocalServer {
  close(): Promise<void>;
}

const ATTACH = "/attach";

/**
 * Serves `answer` on a socket, and says where in `<folder>/<name>.json`, with `info`. `onAttached`
 * hears how many clients hold on to it, each time that this changes.
 */
export async function serveLocal(
  folder: string,
  name: string,
  info: Readonly<Record<string, unknown>>,
  answer: Answer,
  onAttached: (count: number) => void = () => undefined,
): Promise<LocalServer> {
  let attached = 0;
  const { path, remove } = placeSocket(folder, name);
  const server = createServer((req, res) => {
    const reply = (status: number, body: unknown): void => {
      res.writeHead(status, { "content-type": "application/json" });
      res.end(JSON.stringify(body ?? null));
    };
    if (req.url === ATTACH) {
      onAttached(++attached);
      res.once("close", () => onAttached(--attached));
      res.flushHeaders();
      return;
    }
    readJson(req)
      .then((body) => answer(req.url ?? "/", body))
      .then((value) => reply(200, value))
      .catch((error: unknown) => {
        const { name: type } = error instanceof Error ? error : new Error("unknown");
        const message = messageOf(error);
        const detail = error instanceof Error && "detail" in error ? error.detail : undefined;
        reply(400, { error: { type, message, detail } });
      });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
  const file = join(folder, `${name}.json`);
  // Whole or not at all: a reader never sees half of it.
  const draft = `${file}.${randomUUID()}`;
  writeFileSync(draft, JSON.stringify({ ...info, pid: process.pid, socket: path }), {
    mode: 0o600,
  });
  renameSync(draft, file);
  return {
    async close() {
      rmSync(file, { force: true });
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      remove();
    },
  };
}

// Which field, and what was expected: not the list of issues as it stands.
function messageOf(error: unknown): string {
  if (error instanceof z.ZodError) {
    return error.issues
      .map((one) => `${one.path.join(".") || "it"}: ${issueInWords(one)}`)
      .join("; ");
  }
  return error instanceof Error ? error.message : "unknown";
}

function placeSocket(folder: string, name: string): { path: string; remove: () => void } {
  const path = join(folder, `${name}.sock`);
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX) {
    rmSync(path, { force: true });
    return { path, remove: () => rmSync(path, { force: true }) };
  }
  const short = mkdtempSync(join(tmpdir(), "doorless-"));
  return {
    path: join(short, "s"),
    remove: () => rmSync(short, { recursive: true, force: true }),
  };
}

async function readJson(req: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_BYTES_MAX) throw new Error("the question is too large");
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString("utf8") || "null") as unknown;
}

/** Nobody answers there: no doorless owns this folder now. */
export class NotRunning extends Error {
  override readonly name = "NotRunning";
}

/** The other side said no; `type` is its error's name. */
export class LocalError extends Error {
  override readonly name = "LocalError";
  readonly type: string;
  readonly detail: unknown;
  constructor(type: string, message: string, detail: unknown) {
    super(message);
    this.type = type;
    this.detail = detail;
  }
}

/** What a running one says of itself; `undefined` where none ever did. Not proof that it runs. */
export function readLocal(folder: string, name: string): Record<string, unknown> | undefined {
  try {
    const text = readFileSync(join(folder, `${name}.json`), "utf8");
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** Asks the one that serves `name` in `folder`. Throws `NotRunning` or `LocalError`. */
export async function askLocal(
  folder: string,
  name: string,
  path: string,
  body: unknown,
): Promise<unknown> {
  const socket = readLocal(folder, name)?.["socket"];
  if (typeof socket !== "string") throw new NotRunning(`no doorless runs in ${folder}`);
  const { status, text } = await post(socket, path, JSON.stringify(body)).catch(
    (error: unknown) => {
      throw new NotRunning(`no doorless runs in ${folder}`, { cause: error });
    },
  );
  const said = readAnswer(status, text);
  if (said === undefined) {
    throw new NotRunning(`no doorless runs in ${folder}: ${socket} answers like none`);
  }
  if ("value" in said) return said.value;
  const { type, message, detail } = said.error;
  throw new LocalError(type, message, detail);
}

const errorSchema = z.object({
  error: z.object({ type: z.string(), message: z.string(), detail: z.unknown().optional() }),
});
type Said = { readonly value: unknown } | z.infer<typeof errorSchema>;

// Whatever listens there may be something else.
function readAnswer(status: number, text: string): Said | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return status === 200 ? { value } : errorSchema.safeParse(value).data;
  } catch {
    return undefined;
  }
}

/** Holds on to the one that serves `name` in `folder`. Resolves with how to let go. */
export function attachLocal(folder: string, name: string): Promise<() => void> {
  const socket = readLocal(folder, name)?.["socket"];
  const none = `no doorless runs in ${folder}`;
  if (typeof socket !== "string") return Promise.reject(new NotRunning(none));
  return new Promise((resolve, reject) => {
    const options = { socketPath: socket, path: ATTACH, method: "POST", agent: false } as const;
    const req = sendRequest(options, (res) => {
      res.resume();
      res.on("error", () => undefined);
      // From now on it ends with the process, and keeps it from nothing.
      req.socket?.unref();
      resolve(() => req.destroy());
    });
    req.on("error", (cause) => reject(new NotRunning(none, { cause })));
    req.end();
  });
}

function post(socketPath: string, path: string, body: string) {
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const options = { socketPath, path, method: "POST", agent: false } as const;
    const req = sendRequest(options, (res) => {
      const chunks: Buffer[] = [];
      res.on("data", (chunk: Buffer) => chunks.push(chunk));
      res.on("error", reject);
      res.on("end", () => {
        resolve({ status: res.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") });
      });
    });
    req.on("error", reject);
    req.end(body);
  });
}
