// An MCP server behind a connector, as the gate sees it: it lists tools, and one is called. What it
// asks of us, a server is never answered; what it says besides, nobody hears.
import type { Connector } from "../../catalog/definition.ts";
import type { UpstreamDefinition, UpstreamEndpoint } from "../../contract/upstream.ts";
import { refusal } from "../../kernel/errors.ts";
import type { Refusal } from "../../kernel/errors.ts";
import type { Secret } from "../../kernel/secret.ts";
import type { Attempt } from "../broker.ts";

/** One call of ours, with everything that its requests to the server need. */
export interface UpstreamTurn {
  /** This user's, for this server; nothing where there is no delegation, or nobody who asks. */
  readonly token: Secret | undefined;
  readonly connector: Pick<Connector, "headers" | "request_id_header">;
  readonly call_id: string;
  readonly traceparent: string | undefined;
  /** For all that is left of the turn. */
  readonly left_ms: () => number;
  /** Of one answer. */
  readonly bytes_max: number;
  /** Any of them ends it. */
  readonly signals: readonly AbortSignal[];
  /** Hears of bytes as they go out or come in. */
  readonly moved: (bytes: number) => void;
  /** A new entry of the record's `downstream`, which hears of one request as it goes on. */
  readonly note: () => (attempt: Attempt) => void;
}

export type UpstreamAnswer<T> =
  | { readonly ok: true; readonly value: T }
  | {
      readonly ok: false;
      /** Its effect is the caller's to say: by `sent`. */
      readonly refusal: Refusal;
      /** Whether the request that mattered may have reached the server. */
      readonly sent: boolean;
      /** The server has forgotten the session: another one must be opened. */
      readonly gone?: true;
    };

/** What a tool answered. */
export interface UpstreamResult {
  readonly content: readonly unknown[];
  readonly structured: unknown;
  readonly is_error: boolean;
}

/** One MCP server, spoken to for one session of ours. Nothing in it is ever repeated. */
export interface UpstreamMcp {
  /** All pages of `tools/list`, bounded. */
  list(turn: UpstreamTurn): Promise<UpstreamAnswer<readonly UpstreamDefinition[]>>;
  /** One `tools/call`. */
  call(
    name: string,
    args: Readonly<Record<string, unknown>>,
    turn: UpstreamTurn,
  ): Promise<UpstreamAnswer<UpstreamResult>>;
  close(): Promise<void>;
}

/** The way to a connector's server. */
export interface UpstreamWay {
  readonly endpoint: UpstreamEndpoint;
  /** How old the last look at its tools may be when one of them is called. */
  readonly check_s: number;
  /**
   * For one session of ours, which is this user's (nobody's, for a look); `changed` is for a server
   * that says that its tools did.
   */
  open(user: string | undefined, changed: () => void): UpstreamMcp;
  /** When nobody of ours talks to it any more. */
  close(): Promise<void>;
}

const ASKED =
  "The MCP server asked something in the middle of the call, and doorless answers for nobody.";

/** What servers may ask. Any other word would be the server's own, and a model would read it. */
const ASKABLE: ReadonlySet<string> = new Set([
  "elicitation/create",
  "input_required",
  "ping",
  "roots/list",
  "sampling/createMessage",
]);

/** A server's own question (sampling, elicitation, roots, `input_required`): nobody hears it. */
export function askedBack(method: string): Refusal {
  const details = { asked: ASKABLE.has(method) ? method : "?" };
  return refusal("downstream_error", { reason: ASKED, details });
}

/** What a server's error says: its code, and none of its words. */
export function refusedWith(code: number): Refusal {
  const known = code === -32602 ? " It does not know the tool, or not with these arguments." : "";
  const reason = `The MCP server refused it (JSON-RPC error ${code}).${known}`;
  return refusal("downstream_error", { reason, details: { rpc_code: code } });
}

/** What is no MCP, or not as it should be. */
export function notMcp(what: string): Refusal {
  return refusal("downstream_error", { reason: `The MCP server's answer is none: ${what}.` });
}
