// A remote MCP server over streamable HTTP, on the broker's own line: its one address, checked, no
// redirects, the user's token attached here, an answer with that token in it withheld. The SDK's
// client is not used: it compiles a server's schemas, reconnects, and retries (ADR 20).
// @see https://modelcontextprotocol.io/specification/2025-11-25/basic/transports
import type { ConnectorConfig } from "../../config/connector.ts";
import type { UpstreamDefinition } from "../../contract/upstream.ts";
import { refusal } from "../../kernel/errors.ts";
import type { Refusal } from "../../kernel/errors.ts";
import { decodeUtf8, parseJson } from "../../kernel/json.ts";
import { credentialHeader, failure, holdsToken, openLine, refused } from "../broker.ts";
import { requestIdOf, retryAfterOf } from "../broker.ts";
import type { Line } from "../broker.ts";
import { dial } from "../dial.ts";
import type { ApiAnswer } from "../dial.ts";
import { EventStream } from "./event-stream.ts";
import { MESSAGE_LIMITS } from "./rpc-lines.ts";
import { askedBack, notMcp, refusedWith } from "./upstream.ts";
import type { UpstreamAnswer, UpstreamMcp, UpstreamTurn, UpstreamWay } from "./upstream.ts";
import { listPages, resultIn } from "./messages.ts";
import type { Json } from "./messages.ts";

/** Without sessions; asked for first, because a server that speaks it says so. */
const MODERN = "2026-07-28";
/** The newest is asked for; a server that wants another of these gets it. */
const SESSIONFUL = ["2025-11-25", "2025-06-18", "2025-03-26"] as const;
/** What is said about who asks, or how often: anything else may be about a method. */
const KNOWN_STATUS: ReadonlySet<unknown> = new Set([401, 403, 429]);
const FAREWELL_MS_MAX = 4000;

interface Talk {
  readonly version: string;
  readonly session?: string;
}

/** What one POST brought: a response, or nothing where none was to come. */
type Posted = { readonly head: ApiAnswer["headers"]; readonly message: Json | undefined };

/** The way to the server that the connector names. */
export function openHttpWay(connector: ConnectorConfig, version: string): UpstreamWay | undefined {
  const { mcp } = connector;
  const line = openLine(connector);
  if (mcp === undefined || !("url" in mcp) || line === undefined) return undefined;
  const about = { name: "doorless", version };
  return {
    endpoint: mcp.url,
    check_s: mcp.check_s,
    open: (_user, changed) => new HttpUpstream({ line, url: new URL(mcp.url), about, changed }),
    close: () => line.agent.destroy(),
  };
}

interface HttpOptions {
  readonly line: Line;
  readonly url: URL;
  readonly about: { readonly name: string; readonly version: string };
  readonly changed: () => void;
}

class HttpUpstream implements UpstreamMcp {
  private readonly options: HttpOptions;
  private talk: Promise<UpstreamAnswer<Talk>> | undefined;
  private last_id = 0;
  /** The last turn, where it was nobody's in particular. */
  private nobody: UpstreamTurn | undefined;

  constructor(options: HttpOptions) {
    this.options = options;
  }

  list(turn: UpstreamTurn): Promise<UpstreamAnswer<readonly UpstreamDefinition[]>> {
    return listPages(turn, (params, left) => this.request("tools/list", params, left));
  }

  async call(name: string, args: Json, turn: UpstreamTurn) {
    const answer = await this.request("tools/call", { name, arguments: args }, turn);
    return answer.ok ? resultIn(answer.value) : answer;
  }

  // No credential is kept for a farewell: the id is forgotten, and the server's own clock does the
  // rest. Where none was needed, it is said.
  async close(): Promise<void> {
    const { talk, nobody } = this;
    this.talk = undefined;
    if (nobody === undefined) return;
    const answer = await talk;
    if (answer?.ok !== true || answer.value.session === undefined) return;
    const { line, url } = this.options;
    const path = url.pathname + url.search;
    const headers = headersOf({}, nobody, answer.value, line);
    const request = { origin: url.origin, path, method: "DELETE" as const, headers, body: null };
    const bounds = { timeout_ms: FAREWELL_MS_MAX, bytes_max: 65_536, signals: nobody.signals };
    // Servers may know no farewell.
    await dial(line.agent, request, bounds, () => undefined).catch(() => undefined);
  }

  private async request(method: string, params: Json, turn: UpstreamTurn) {
    this.nobody = turn.token === undefined ? turn : undefined;
    const talk = await this.ready(turn);
    if (!talk.ok) return talk;
    const answer = await this.rpc(method, params, turn, talk.value);
    if (!answer.ok && answer.gone === true) this.talk = undefined;
    return answer;
  }

  /** How this server is spoken to; found out once. */
  private async ready(turn: UpstreamTurn): Promise<UpstreamAnswer<Talk>> {
    const known = this.talk;
    const talk = (this.talk ??= this.greet(turn));
    const answer = await talk;
    if (answer.ok) return answer;
    if (this.talk === talk) this.talk = undefined;
    // Somebody else's greeting broke off, for reasons of his own.
    if (known !== undefined) return this.ready(turn);
    return { ...answer, sent: false };
  }

  private async greet(turn: UpstreamTurn): Promise<UpstreamAnswer<Talk>> {
    const modern = { version: MODERN };
    const found = await this.rpc("server/discover", {}, turn, modern);
    if (!found.ok && !isUnknown(found.refusal)) return found;
    const versions = found.ok ? found.value["supportedVersions"] : [];
    if (Array.isArray(versions) && versions.includes(MODERN)) return { ok: true, value: modern };
    return this.initialize(turn);
  }

  private async initialize(turn: UpstreamTurn): Promise<UpstreamAnswer<Talk>> {
    const [protocolVersion] = SESSIONFUL;
    const params = { protocolVersion, capabilities: {}, clientInfo: this.options.about };
    const id = ++this.last_id;
    const asked = { jsonrpc: "2.0", id, method: "initialize", params };
    const posted = await this.post(asked, turn, undefined);
    if (!posted.ok) return posted;
    const result = resultOf(posted.value.message);
    if (!result.ok) return result;
    const version = SESSIONFUL.find((one) => one === result.value["protocolVersion"]);
    if (version === undefined) {
      return { ok: false, refusal: notMcp("a version of MCP that doorless speaks"), sent: true };
    }
    const session = posted.value.head["mcp-session-id"];
    const talk = { version, ...(isSessionId(session) ? { session } : {}) };
    const told = { jsonrpc: "2.0", method: "notifications/initialized" };
    const heard = await this.post(told, turn, talk);
    return heard.ok ? { ok: true, value: talk } : heard;
  }

  private async rpc(
    method: string,
    params: Json,
    turn: UpstreamTurn,
    talk: Talk,
  ): Promise<UpstreamAnswer<Json>> {
    const id = ++this.last_id;
    const isModern = talk.version === MODERN;
    const said = isModern ? { ...params, _meta: this.meta() } : params;
    const posted = await this.post({ jsonrpc: "2.0", id, method, params: said }, turn, talk);
    return posted.ok ? resultOf(posted.value.message) : posted;
  }

  private meta(): Json {
    return {
      "io.modelcontextprotocol/protocolVersion": MODERN,
      "io.modelcontextprotocol/clientCapabilities": {},
      "io.modelcontextprotocol/clientInfo": this.options.about,
    };
  }

  /** One message, and the response to it where it has an id. */
  private async post(
    message: Json,
    turn: UpstreamTurn,
    talk: Talk | undefined,
  ): Promise<UpstreamAnswer<Posted>> {
    const { line, url, changed } = this.options;
    const timeout_ms = turn.left_ms();
    if (line.refused !== undefined) return { ok: false, refusal: line.refused, sent: false };
    if (timeout_ms <= 0) return { ok: false, refusal: late(), sent: false };
    const body = JSON.stringify(message);
    const note = turn.note();
    const about = { method: "POST", url: url.origin + url.pathname };
    const heard = new Heard(message["id"], changed);
    const request = {
      origin: url.origin,
      path: url.pathname + url.search,
      method: "POST" as const,
      headers: headersOf(message, turn, talk, line),
      body,
    };
    const { bytes_max, signals, moved } = turn;
    const enough = (piece: Buffer): boolean => heard.take(piece);
    note({ ...about, request_id: turn.call_id });
    try {
      moved(Buffer.byteLength(body));
      const bounds = { timeout_ms, bytes_max, signals, moved, enough };
      const answer = await dial(line.agent, request, bounds, (headers, status) => {
        heard.begin(headers);
        note({ ...about, status, request_id: requestIdOf(headers, turn) });
      });
      return judge(answer, heard, turn, talk);
    } catch (error) {
      const why = failure(error, bytes_max, "unknown");
      return { ok: false, refusal: why, sent: why.effect !== "none" };
    }
  }
}

function isUnknown({ details = {} }: Refusal): boolean {
  const { status, rpc_code } = details;
  return rpc_code !== undefined || (Number(status) >= 400 && !KNOWN_STATUS.has(status));
}

function isSessionId(value: unknown): value is string {
  return typeof value === "string" && /^[\x21-\x7e]{1,512}$/.test(value);
}

function late(): Refusal {
  return refusal("timeout", { retry_after_ms: 1000 });
}

function headersOf(message: Json, turn: UpstreamTurn, talk: Talk | undefined, line: Line) {
  const { connector, token } = turn;
  const { method, params } = message as { method: string; params?: { name?: unknown } };
  const isModern = talk?.version === MODERN;
  const name = isModern && typeof params?.name === "string" ? params.name : undefined;
  const own = Object.entries(connector.headers).map(([key, text]) => [key.toLowerCase(), text]);
  return {
    ...(Object.fromEntries(own) as Record<string, string>),
    accept: "application/json, text/event-stream",
    "content-type": "application/json",
    ...(talk === undefined ? {} : { "mcp-protocol-version": talk.version }),
    ...(talk?.session === undefined ? {} : { "mcp-session-id": talk.session }),
    ...(isModern ? { "mcp-method": method } : {}),
    ...(name === undefined ? {} : { "mcp-name": headerText(name) }),
    [connector.request_id_header.toLowerCase()]: turn.call_id,
    ...(turn.traceparent === undefined ? {} : { traceparent: turn.traceparent }),
    "user-agent": "doorless",
    ...(token === undefined ? {} : credentialHeader(line.delegation, token)),
  };
}

// 2026-07-28, header encoding: what is no visible ASCII goes as Base64, and says so.
function headerText(text: string): string {
  if (/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !text.startsWith("=?")) return text;
  return `=?base64?${Buffer.from(text).toString("base64")}?=`;
}

/** What of the body has come so far, where it is a stream of events. */
class Heard {
  message: Json | undefined;
  /** The server's own question. */
  asked: string | undefined;
  private readonly id: unknown;
  private readonly changed: () => void;
  private events: EventStream | undefined;
  broken = false;

  constructor(id: unknown, changed: () => void) {
    this.id = id;
    this.changed = changed;
  }

  begin(headers: ApiAnswer["headers"]): void {
    this.events = isType(headers, "text/event-stream") ? new EventStream() : undefined;
  }

  /** True where nothing more is waited for. */
  take(piece: Buffer): boolean {
    try {
      for (const data of this.events?.feed(piece) ?? []) {
        this.hear(parseJson(data, MESSAGE_LIMITS));
        if (this.message !== undefined || this.asked !== undefined) return true;
      }
    } catch {
      this.broken = true;
    }
    return this.broken;
  }

  /** The whole body, where it is no stream. */
  read(body: Buffer): void {
    if (this.events === undefined && body.length > 0)
      this.hear(parseJson(decodeUtf8(body), MESSAGE_LIMITS));
  }

  private hear(said: unknown): void {
    if (said === null || typeof said !== "object" || Array.isArray(said)) throw new Error("none");
    const message = said as Json;
    const { method, id } = message;
    // Whether anybody is there: nobody opens a request of a user's to say so.
    if (method === "ping") return;
    if (typeof method === "string" && id !== undefined) this.asked = method;
    else if (method === "notifications/tools/list_changed") this.changed();
    else if (method === undefined && id === this.id) this.message = message;
  }
}

function isType(headers: ApiAnswer["headers"], type: string): boolean {
  const said = headers["content-type"];
  return typeof said === "string" && said.split(";", 1)[0]?.trim().toLowerCase() === type;
}

function judge(
  answer: ApiAnswer,
  heard: Heard,
  { token }: UpstreamTurn,
  talk: Talk | undefined,
): UpstreamAnswer<Posted> {
  const { status, headers, body } = answer;
  const no = (why: Refusal, more = {}) =>
    ({ ok: false, refusal: why, sent: true, ...more }) as const;
  if (token !== undefined && holdsToken(answer, token)) return no(refusal("credential_exposed"));
  // 404 is how a session ends; the reference servers say 400 to one that they do not know.
  if ((status === 404 || status === 400) && talk?.session !== undefined) {
    const reason = "The MCP server has ended its session.";
    return no(refusal("downstream_unavailable", { reason, retry_after_ms: 1000 }), { gone: true });
  }
  if (status < 200 || status > 299) return no(refused(status, "unknown", retryAfterOf(answer)));
  try {
    if (status !== 202) heard.read(body);
  } catch {
    return no(notMcp("no JSON"));
  }
  if (heard.broken) return no(notMcp("a stream of something else"));
  if (heard.asked !== undefined) return no(askedBack(heard.asked));
  return { ok: true, value: { head: headers, message: heard.message } };
}

/** The result of a response, or what its error says: its code, and none of its words. */
function resultOf(message: Json | undefined): UpstreamAnswer<Json> {
  if (message === undefined) return { ok: false, refusal: notMcp("no response"), sent: true };
  const { result, error } = message as { result?: unknown; error?: { code?: unknown } };
  if (result !== null && typeof result === "object" && !Array.isArray(result)) {
    const type = (result as Json)["resultType"];
    if (type === undefined || type === "complete") return { ok: true, value: result as Json };
    return { ok: false, refusal: askedBack(typeof type === "string" ? type : "?"), sent: true };
  }
  const code = Number.isSafeInteger(error?.code) ? Number(error?.code) : undefined;
  if (code === undefined) return { ok: false, refusal: notMcp("no result"), sent: true };
  return { ok: false, refusal: refusedWith(code), sent: true };
}
