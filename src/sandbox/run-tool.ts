// A code tool's call: a worker of this session and this tool, its conversation, its result.
import type { CodeTool } from "../catalog/definition.ts";
import type { IsolationConfig } from "../config/isolation.ts";
import { refusal, refusalToError } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import { no, ok } from "../kernel/result.ts";
import type { Result } from "../kernel/result.ts";
import type { Watch } from "../session/stops.ts";
import type { BrokerAnswer } from "./broker.ts";
import { converse } from "./dialogue.ts";
import { flawOf } from "./frames.ts";
import type { Frame } from "./frames.ts";
import type { Owner, Pool } from "./pool.ts";
import { buildDeclared } from "./request.ts";
import type { DeclaredRequest } from "./request.ts";
import type { Worker } from "./worker.ts";

/** Loading runs the file's top level: definitions, and nothing that takes time. */
const LOAD_MS_MAX = 5000;
const LOAD_CPU_MS_MAX = 5000;

export interface LogLine {
  readonly message: string;
  readonly fields: unknown;
}

export interface ToolRun {
  readonly tool: CodeTool;
  readonly input: Readonly<Record<string, unknown>>;
  readonly owner: Omit<Owner, "tool">;
  readonly signal: AbortSignal;
  readonly watch: Watch | undefined;
  /** Sends one request that the tool declares; `signal` ends with the call. */
  readonly request: (
    request: DeclaredRequest,
    signal: AbortSignal,
  ) => Promise<Result<BrokerAnswer>>;
  readonly log: (line: LogLine) => void;
}

export async function runTool(
  pool: Pool,
  isolation: IsolationConfig,
  run: ToolRun,
): Promise<Result<unknown>> {
  const { tool, owner } = run;
  const claimed = await pool.claim("tool", {
    ...owner,
    tool: tool.name,
    rights: `${tool.hash} ${owner.rights}`,
  });
  if (!claimed.ok) return claimed;
  const { worker, fresh, release } = claimed.value;
  try {
    if (fresh) {
      const loaded = await loadTool(worker, tool.name, tool.source);
      if (!loaded.ok) return loaded;
    }
    return await ask(worker, isolation, run);
  } finally {
    release(worker.alive);
  }
}

async function ask(
  worker: Worker,
  isolation: IsolationConfig,
  run: ToolRun,
): Promise<Result<unknown>> {
  const { tool, input, signal } = run;
  // Which refusal a request met: a tool that does not catch it ends with it.
  const refusals = new Map<number, Refusal>();
  return converse<unknown>(worker, {
    question: { t: "call", input },
    timeout_ms: tool.timeout_ms,
    cpu_ms_max: isolation.cpu_ms_max,
    requests_max: tool.requests_max,
    signal,
    watch: run.watch,
    async onRequest(frame, ending) {
      const id = Number(frame["id"]);
      const request = buildDeclared(tool, frame);
      const answer = request.ok ? fitting(await run.request(request.value, ending)) : request;
      if (answer.ok) return { t: "answer", id, ok: true, body: answer.value.body };
      refusals.set(id, answer.refusal);
      const { code, message, details } = refusalToError(answer.refusal);
      return { t: "answer", id, ok: false, code, message, status: details?.["status"] };
    },
    onLog: ({ message, fields }) => run.log({ message: String(message), fields }),
    onEnd(frame) {
      if (frame.t === "result") return ok(frame["value"]);
      if (frame.t !== "threw") return undefined;
      const met = refusals.get(Number(frame["request"]));
      return no(met ?? threw(frame, run));
    },
  });
}

// What an API answers is anything at all; a worker that is sent what it must refuse would end.
function fitting(answer: Result<BrokerAnswer>): Result<BrokerAnswer> {
  // As deep as it will be in its frame.
  const flaw = answer.ok ? flawOf({ body: answer.value.body }) : undefined;
  if (flaw === undefined) return answer;
  return no(refusal("contract_drift", { reason: `The API's answer ${flaw}.` }));
}

/** Has a worker that nobody has used load a tool; resolves with its manifest. */
export function loadTool(worker: Worker, name: string, source: string): Promise<Result<unknown>> {
  return converse<unknown>(worker, {
    question: { t: "load", name, source },
    timeout_ms: LOAD_MS_MAX,
    cpu_ms_max: LOAD_CPU_MS_MAX,
    requests_max: 0,
    signal: NEVER,
    onRequest: (frame) => Promise.resolve(frame),
    onLog: () => undefined,
    onEnd(frame: Frame) {
      if (frame.t === "loaded") return ok(frame["manifest"]);
      if (frame.t !== "failed") return undefined;
      return no(refusal("tool_error", { cause: printable(frame["message"]) }));
    },
  });
}

// Its message may hold what the user may see, so it goes where the results go. For the log, which
// error it was, and where, as far as that can be nothing else.
function threw({ name, message, at }: Frame, run: ToolRun): Refusal {
  run.log({ message: "threw", fields: { name: printable(name), message: printable(message) } });
  const kind = /^(?:[A-Z][a-z]+)?Error$/.test(String(name)) ? String(name) : "something";
  const place = /^doorless-tool:[a-z0-9_]+:\d+:\d+$/.test(String(at)) ? ` at ${String(at)}` : "";
  return refusal("tool_error", { cause: `it threw ${kind.slice(0, 40)}${place}` });
}

const NEVER = new AbortController().signal;
const CAUSE_CHARS_MAX = 500;

/** A worker's words, fit for a log line. */
function printable(text: unknown): string {
  return String(text)
    .slice(0, CAUSE_CHARS_MAX)
    .replaceAll(/[\p{Cc}\p{Cf}\p{Cs}]/gu, " ");
}
