// An MCP server whose every line a test writes, without a process: the pipes are real, and nobody
// reads or answers but the script.
import { PassThrough } from "node:stream";
import type { IsolatedProcess, Usage } from "../../src/sandbox/backend.ts";
import { StdioServer } from "../../src/sandbox/upstream/stdio-server.ts";

const MIB = 1_048_576;
export const LINE_BYTES_MAX = 65_536;

type Message = Readonly<Record<string, unknown>>;

export interface Script {
  /** Writes one message. */
  readonly say: (message: Message) => void;
  readonly raw: (bytes: string | Buffer) => void;
  readonly exit: (how: string) => void;
}

export interface ScriptedServer {
  readonly server: StdioServer;
  /** All that it was sent, in order. */
  readonly heard: readonly Message[];
  readonly script: Script;
  readonly killed: () => boolean;
  /** How often it said that its tools had changed. */
  readonly changes: () => number;
}

export const GREETING = {
  protocolVersion: "2025-11-25",
  capabilities: { tools: {} },
  serverInfo: { name: "scripted", version: "1" },
};

/** `answer` sees each request after the handshake, or with `greet: false` that one too. */
export function scriptedServer(
  answer: (message: Message, script: Script) => void = () => undefined,
  options: { readonly greet?: boolean; readonly usage?: () => Usage } = {},
): ScriptedServer {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const exited = Promise.withResolvers<string>();
  const heard: Message[] = [];
  let [killed, changes] = [false, 0];
  const script: Script = {
    say: (message) => script.raw(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`),
    raw: (bytes) => void stdout.write(bytes),
    exit: (how) => exited.resolve(how),
  };
  let rest = "";
  stdin.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const message = JSON.parse(line) as Message;
      heard.push(message);
      if (message["method"] === "initialize" && options.greet !== false) {
        script.say({ id: message["id"], result: GREETING });
      } else if (message["id"] !== undefined) answer(message, script);
    }
  });
  const process: IsolatedProcess = {
    stdin,
    stdout,
    stderr,
    exited: exited.promise,
    usage: () => options.usage?.(),
    kill: () => {
      killed = true;
      exited.resolve("SIGKILL");
    },
  };
  const limits = { line_bytes_max: LINE_BYTES_MAX, rss_bytes_max: 64 * MIB, cpu_ms_max: 1000 };
  const server = new StdioServer(process, limits, () => void changes++);
  return { server, heard, script, killed: () => killed, changes: () => changes };
}
