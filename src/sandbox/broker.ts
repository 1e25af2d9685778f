// The egress broker: the only thing that dials downstream APIs (DESIGN section 5).
// It dials one origin per connector, at an address it checked, follows nothing, bounds everything,
// attaches the token itself, and withholds an answer that gives the token back.
import { Agent } from "undici";
import type { Config } from "../config/load.ts";
import { originOf } from "../config/connector.ts";
import type { ConnectorConfig, DelegationConfig } from "../config/connector.ts";
import type { Connector } from "../catalog/definition.ts";
import { AddressRefused, assertHost, guardedLookup } from "../kernel/address.ts";
import { refusal } from "../kernel/errors.ts";
import { decodeUtf8 } from "../kernel/json.ts";
import type { Effect, Refusal } from "../kernel/errors.ts";
import { no, ok } from "../kernel/result.ts";
import type { Result } from "../kernel/result.ts";
import type { Secret } from "../kernel/secret.ts";
import { dial, Ended } from "./dial.ts";
import type { ApiAnswer } from "./dial.ts";
import type { BrokerRequest } from "./request.ts";

const CONNECT_TIMEOUT_MS = 5000;
const CONNECTIONS_PER_ORIGIN_MAX = 64;

interface Dispatch {
  readonly connector: Connector;
  readonly request: BrokerRequest;
  /** The user's, for this API; sent as the connector's delegation says. */
  readonly token: Secret;
  readonly call_id: string;
  readonly traceparent: string;
  readonly idempotency_key: string | undefined;
  readonly timeout_ms: number;
  readonly response_bytes_max: number;
  /** What an error means once bytes may have left: `none` for reads, else `unknown`. */
  readonly effect_if_sent: Effect;
  /** Any of them ends it. */
  readonly signals: readonly AbortSignal[];
  /** Hears of bytes as they go out or come in. */
  readonly moved: (bytes: number) => void;
  /** Hears the headers of the answer, whatever its status. */
  readonly heard?: (headers: ApiAnswer["headers"]) => void;
}

export interface BrokerAnswer {
  readonly status: number;
  readonly request_id: string;
  readonly body: unknown;
  /** Its header, where there is one; of several one. */
  readonly link?: string;
}

/** What the broker did, whether or not it went well: the record's `downstream`. */
export interface Attempt {
  readonly method: string;
  readonly url: string;
  readonly status?: number;
  readonly request_id: string;
}

export interface Broker {
  /** One request; `attempted` hears of it as soon as bytes may have left. */
  dispatch(
    dispatch: Dispatch,
    attempted: (attempt: Attempt) => void,
  ): Promise<Result<BrokerAnswer>>;
  close(): Promise<void>;
}

export function createBroker(config: Config): Broker {
  const lines = new Map<string, Line>();
  for (const [name, connector] of Object.entries(config.connectors)) {
    const line = openLine(connector);
    if (line !== undefined && connector.mcp === undefined) lines.set(name, line);
  }
  return {
    async dispatch(dispatch, attempted) {
      const line = lines.get(dispatch.connector.name);
      if (line === undefined) throw new RangeError(`no connector ${dispatch.connector.name}`);
      if (line.refused !== undefined) return no(line.refused);
      return exchange(line, dispatch, attempted);
    },
    async close() {
      await Promise.all([...lines.values()].map(({ agent }) => agent.destroy()));
    },
  };
}

/** The way to one connector's origin. */
export interface Line {
  readonly origin: string;
  readonly delegation: DelegationConfig;
  readonly agent: Agent;
  /** Why nothing is ever dialled here: the origin is a literal address that may not be. */
  readonly refused: Refusal | undefined;
}

/** Nothing where the connector has no address to dial. */
export function openLine(connector: ConnectorConfig): Line | undefined {
  const { delegation, allow_private_addresses } = connector;
  const origin = originOf(connector);
  if (origin === undefined || delegation === undefined) return undefined;
  const agent = new Agent({
    connect: { lookup: guardedLookup(allow_private_addresses), timeout: CONNECT_TIMEOUT_MS },
    connections: CONNECTIONS_PER_ORIGIN_MAX,
    pipelining: 1,
  });
  try {
    assertHost(new URL(origin).hostname, allow_private_addresses);
    return { origin, delegation, agent, refused: undefined };
  } catch (error) {
    const why = refusal("egress_refused", { cause: describe(error) });
    return { origin, delegation, agent, refused: why };
  }
}

async function exchange(
  { origin, delegation, agent }: Line,
  dispatch: Dispatch,
  attempted: (attempt: Attempt) => void,
): Promise<Result<BrokerAnswer>> {
  const { request, call_id } = dispatch;
  const url = origin + request.path;
  const [bare = url] = url.split("?");
  const effect = dispatch.effect_if_sent;
  const note = (status?: number, request_id = call_id): void =>
    attempted({
      method: request.method,
      url: bare,
      ...(status === undefined ? {} : { status }),
      request_id,
    });
  note();
  const { timeout_ms, signals, moved, response_bytes_max: bytes_max } = dispatch;
  const bounds = { timeout_ms, bytes_max, signals, moved };
  const asked = {
    origin,
    path: request.path,
    method: request.method,
    headers: headersOf(dispatch, delegation),
    body: request.body ?? null,
  };
  try {
    moved(Buffer.byteLength(request.body ?? ""));
    const answer = await dial(agent, asked, bounds, (headers, status) => {
      note(status, requestIdOf(headers, dispatch));
      dispatch.heard?.(headers);
    });
    if (holdsToken(answer, dispatch.token)) return no(refusal("credential_exposed", { effect }));
    return judge(answer, requestIdOf(answer.headers, dispatch), effect);
  } catch (error) {
    return no(failure(error, bytes_max, effect));
  }
}

function headersOf(dispatch: Dispatch, delegation: DelegationConfig): Record<string, string> {
  const { connector, request, idempotency_key } = dispatch;
  const header = connector.idempotency_header?.toLowerCase();
  return {
    ...request.headers,
    ...(header === undefined || idempotency_key === undefined ? {} : { [header]: idempotency_key }),
    [connector.request_id_header.toLowerCase()]: dispatch.call_id,
    traceparent: dispatch.traceparent,
    "user-agent": "doorless",
    ...credentialHeader(delegation, dispatch.token),
  };
}

// RFC 6750 section 2.1; a user's own key goes where the API wants it.
export function credentialHeader(
  delegation: DelegationConfig,
  token: Secret,
): Record<string, string> {
  if (delegation.kind !== "key") return { authorization: `Bearer ${token.reveal()}` };
  const { header, scheme } = delegation;
  return { [header.toLowerCase()]: `${scheme}${scheme === "" ? "" : " "}${token.reveal()}` };
}

/** What the API itself calls the request, where it says so: as our own log names it, too. */
export function requestIdOf(
  headers: ApiAnswer["headers"],
  call: {
    readonly connector: Pick<Connector, "request_id_header">;
    readonly call_id: string;
    readonly token: Secret | undefined;
  },
): string {
  const given = headers[call.connector.request_id_header.toLowerCase()];
  if (typeof given !== "string" || !/^[\x21-\x7e]{1,128}$/.test(given)) return call.call_id;
  // It goes on record: a token that was given back so would, too.
  const said = { headers: { given }, body: Buffer.alloc(0) };
  return call.token !== undefined && holdsToken(said, call.token) ? call.call_id : given;
}

export function holdsToken(
  { headers, body }: Pick<ApiAnswer, "headers" | "body">,
  token: Secret,
): boolean {
  const value = token.reveal();
  return [body.toString("utf8"), JSON.stringify(headers)].some((text) => {
    const read = text.replaceAll(JSON_ESCAPE, (_escape, hex: string | undefined) =>
      hex === undefined ? "/" : letter(hex),
    );
    const decoded = read.replaceAll(PERCENT_ESCAPE, (_escape, hex: string) => letter(hex));
    return [text, read, decoded].some((one) => one.includes(value));
  });
}

// JSON may write any letter as an escape, and so may a URL: whoever reads them reads the letter.
const JSON_ESCAPE = /\\(?:u([0-9a-f]{4})|\/)/gi;
const PERCENT_ESCAPE = /%([0-9a-f]{2})/gi;

function letter(hex: string): string {
  return String.fromCharCode(Number.parseInt(hex, 16));
}

function judge(answer: ApiAnswer, request_id: string, effect: Effect): Result<BrokerAnswer> {
  const { status, body, headers } = answer;
  const links = headers["link"];
  const link = links === undefined ? {} : { link: [links].flat().join(", ") };
  if (status < 200 || status > 299) return no(refused(status, effect, retryAfterOf(answer)));
  if (status === 204 || body.length === 0) return ok({ status, request_id, ...link, body: {} });
  try {
    const said = JSON.parse(decodeUtf8(body)) as unknown;
    return ok({ status, request_id, ...link, body: said });
  } catch {
    // It said yes, in a language that nobody agreed on.
    const reason = "The answer is not JSON.";
    return no(refusal("contract_drift", { reason, effect: effect === "none" ? "none" : "done" }));
  }
}

const RETRY_MS = 1000;
const RETRY_MS_MAX = 3_600_000;

/** `Retry-After` in seconds (RFC 9110 section 10.2.3); its date form, and nonsense, are one. */
export function retryAfterOf({ headers }: ApiAnswer): number {
  const given = headers["retry-after"];
  const seconds = typeof given === "string" && /^\d{1,6}$/.test(given) ? Number(given) : 1;
  return Math.min(Math.max(seconds * 1000, RETRY_MS), RETRY_MS_MAX);
}

/** What is said of a status that is no success. */
export function refused(status: number, effect: Effect, retry_after_ms: number): Refusal {
  const details = { status };
  if (status >= 300 && status < 400) {
    const reason = "The API answered with a redirect, which is never followed.";
    return refusal("downstream_error", { reason, effect, details });
  }
  if (status === 429) {
    return refusal("downstream_rate_limited", { effect, details, retry_after_ms });
  }
  const known = STATUS_REASONS.get(status) ?? "";
  const reason = `The API answered with status ${status}.${known}`;
  return refusal("downstream_error", { reason, effect, details });
}

const STATUS_REASONS: ReadonlyMap<number, string> = new Map([
  [401, " It does not accept this user's token."],
  [403, " This user may not do that there."],
  [404, " There is no such record, or this user may not see it."],
  [409, " The record is in a state that does not allow it."],
  [422, " It found the values invalid."],
]);

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : "unknown";
}

/** What is said of an exchange that broke off; its effect is `none` where nothing was sent. */
export function failure(error: unknown, bytes_max: number, effect: Effect): Refusal {
  if (error instanceof AddressRefused) return refusal("egress_refused", { cause: error.message });
  if (error instanceof Ended) return ended(error, bytes_max, error.sent ? effect : "none");
  const cause = describe(error);
  // The connection never stood: nothing was sent, and that can be proved.
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  const unsent = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"];
  const proved = code !== undefined && unsent.includes(code);
  const happened = proved ? "none" : effect;
  return refusal("downstream_unavailable", { effect: happened, retry_after_ms: 1000, cause });
}

function ended({ why }: Ended, bytes_max: number, effect: Effect): Refusal {
  switch (why) {
    case "hung_up":
      return refusal("cancelled", { effect });
    case "late":
      return refusal("timeout", { effect, retry_after_ms: 1000 });
    case "too_large": {
      const details = { limit: "response_bytes_max", max: bytes_max };
      // Whether a write that answers so was done, nobody knows.
      const code = effect === "none" ? "result_too_large" : "downstream_error";
      return refusal(code, { reason: `It has more than ${bytes_max} bytes.`, effect, details });
    }
  }
}
