// `run_code`: one worker for one run, with an engine inside; it reaches tools of its session, each
// by a full call of its own, and nothing else.
import type { IsolationConfig } from "../config/isolation.ts";
import { refusal } from "../kernel/errors.ts";
import { no, ok } from "../kernel/result.ts";
import type { Result } from "../kernel/result.ts";
import type { Watch } from "../session/stops.ts";
import { converse } from "./dialogue.ts";
import { flawOf } from "./frames.ts";
import type { Owner, Pool } from "./pool.ts";
import { overLimit } from "./held.ts";

/** What the guest's own deadline is earlier, so that it ends by itself where it can. */
const DEADLINE_MARGIN_MS = 100;
const MESSAGE_CHARS_MAX = 500;

/** What a tool answered the guest: its result, or its error as an agent sees it. */
export type InnerAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: object };

/** A tool that the code may call; one that is stopped is in no list, and says why when called. */
export interface InnerTool {
  readonly name: string;
  readonly stopped: boolean;
}

export interface GeneratedRun {
  readonly code: string;
  readonly timeout_ms: number;
  readonly tools: readonly InnerTool[];
  readonly owner: Owner;
  readonly signal: AbortSignal;
  readonly watch: Watch;
  readonly call: (
    tool: string,
    args: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ) => Promise<InnerAnswer>;
}

export async function runGenerated(
  pool: Pool,
  isolation: IsolationConfig,
  run: GeneratedRun,
): Promise<Result<unknown>> {
  const claimed = await pool.claim("engine", run.owner);
  if (!claimed.ok) return claimed;
  const { worker, release } = claimed.value;
  try {
    return await converse<unknown>(worker, {
      question: {
        t: "run",
        code: run.code,
        tools: run.tools,
        timeout_ms: Math.max(1, run.timeout_ms - DEADLINE_MARGIN_MS),
        output_chars_max: isolation.run_code_output_chars_max,
      },
      timeout_ms: run.timeout_ms,
      cpu_ms_max: isolation.cpu_ms_max,
      requests_max: isolation.run_code_calls_max,
      signal: run.signal,
      watch: run.watch,
      async onRequest(frame, signal) {
        const { id, tool, args } = frame;
        const answer = isRecord(args)
          ? await run.call(String(tool), args, signal)
          : { ok: false, error: { code: "invalid_arguments", message: "give one object" } };
        const flaw = flawOf({ answer });
        if (flaw === undefined) return { t: "answer", id, answer };
        const error = { code: "resource_limit", message: `The tool's result ${flaw}.` };
        return { t: "answer", id, answer: { ok: false, error } };
      },
      onLog: () => undefined,
      onEnd(frame) {
        if (frame.t === "value") return ok({ value: frame["value"], output: frame["output"] });
        if (frame.t === "threw") return no(failed(frame["message"]));
        if (frame.t !== "limit") return undefined;
        const { what } = frame;
        if (what === "time") return no(refusal("timeout", { reason: "The code did not end." }));
        return no(overLimit(["output", "memory", "stack"].find((one) => one === what) ?? "engine"));
      },
    });
  } finally {
    // Whatever the code left behind, nobody comes after it.
    release(false);
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// Said by the agent's own code, to the agent: cut, and made printable.
function failed(message: unknown) {
  const said = String(message).slice(0, MESSAGE_CHARS_MAX);
  return refusal("code_error", { reason: said.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}]/gu, " ") });
}
