// The MCP servers behind this deployment: each session of ours has its own of theirs, never another
// one's. And before a tool is called, somebody has looked whether it still is what was approved.
import type { Config } from "../../config/load.ts";
import type {
  UpstreamDefinition,
  UpstreamEndpoint,
  UpstreamSeen,
} from "../../contract/upstream.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Refusal } from "../../kernel/errors.ts";
import { uuidv7 } from "../../kernel/ids.ts";
import type { Credential } from "../../kernel/principal.ts";
import type { Secret } from "../../kernel/secret.ts";
import type { UpstreamAnswer, UpstreamMcp, UpstreamResult } from "./upstream.ts";
import type { UpstreamTurn, UpstreamWay } from "./upstream.ts";
import { openHttpWay } from "./http.ts";

const IDLE_MS_MAX = 600_000;
const SWEEP_MS = 60_000;
const OPEN_MAX = 1000;
const LOOK_MS_MAX = 20_000;
const LOOK_BYTES_MAX = 4_194_304;

type Listed = UpstreamAnswer<readonly UpstreamDefinition[]>;

/** What a session saw when it looked. It is kept for as long: what the server says there is not. */
interface Look {
  /** As the server calls them. */
  readonly names: ReadonlySet<string>;
  readonly seen: ReadonlyMap<string, UpstreamSeen>;
}

/** The tool that is to be called, as it is approved now. */
interface Wanted {
  readonly tool: string;
  /** The server's name for it. */
  readonly upstream: string;
  readonly pinned: string;
}

/** Of a tool that was otherwise then, or was held against something else, another look is due. */
function isAsApproved({ names, seen }: Look, { tool, upstream, pinned }: Wanted): boolean {
  const known = seen.get(tool);
  return !names.has(upstream) || (known?.pinned === pinned && known.rules.length === 0);
}

/** Whose session of a server it is. */
export interface UpstreamOwner {
  readonly credential: Credential;
  readonly user: string;
  readonly session: string;
  /** Digest of their rights: with others it is another session. */
  readonly rights: string;
}

interface Open {
  readonly credential: Credential;
  readonly mcp: UpstreamMcp;
  /** The last look at its tools, or the one under way; nothing where one is due. */
  look: Promise<UpstreamAnswer<Look>> | undefined;
  looked_ms: number;
  used_ms: number;
}

/** Hears what a server's tools are, whenever somebody looked; knows what that is for ours. */
type OnListed = (connector: string, tools: readonly UpstreamDefinition[]) => Promise<Look["seen"]>;

/** The servers that the configuration names; nothing is opened before somebody needs it. */
export function openUpstreams(
  { connectors }: Config,
  clock: Clock,
  version: string,
  local: ReadonlyMap<string, UpstreamWay>,
): Upstreams {
  const ways = new Map(local);
  for (const [name, connector] of Object.entries(connectors)) {
    const way = openHttpWay(connector, version);
    if (way !== undefined) ways.set(name, way);
  }
  return new Upstreams(ways, clock);
}

const NEEDS_TOKEN = "the MCP server lists its tools to nobody without a token";

/** Why a server's tools could not be listed, and whether without a token they never can. */
export function unlistedWhy({ code, reason, cause, details = {} }: Refusal) {
  const { status } = details;
  if (status === 401 || status === 403) return { why: NEEDS_TOKEN, closed: true };
  const why = `the MCP server could not be asked: ${cause ?? reason ?? code}`;
  return { why, closed: false };
}

/** One list, for whoever is asking; in a session of its own. */
export async function listOnce(
  way: UpstreamWay,
  asked: {
    readonly token: Secret | undefined;
    readonly signal: AbortSignal;
    readonly clock: Clock;
  },
): Promise<Listed> {
  const { token, signal, clock } = asked;
  const until_ms = clock.monotonic() + LOOK_MS_MAX;
  const mcp = way.open(undefined, () => undefined);
  try {
    return await mcp.list({
      token,
      connector: { headers: {}, request_id_header: "X-Request-Id" },
      call_id: uuidv7(clock.now()),
      traceparent: undefined,
      left_ms: () => until_ms - clock.monotonic(),
      bytes_max: LOOK_BYTES_MAX,
      signals: [signal],
      moved: () => undefined,
      note: () => () => undefined,
    });
  } finally {
    await mcp.close();
  }
}

export class Upstreams {
  private readonly ways: ReadonlyMap<string, UpstreamWay>;
  private readonly clock: Clock;
  private readonly open = new Map<string, Open>();
  private readonly sweeper: NodeJS.Timeout;
  private listed: OnListed = () => Promise.resolve(new Map());
  private changed: (connector: string) => void = () => undefined;

  constructor(ways: ReadonlyMap<string, UpstreamWay>, clock: Clock) {
    this.ways = ways;
    this.clock = clock;
    this.sweeper = setInterval(() => this.sweep(), SWEEP_MS).unref();
  }

  onListed(listener: OnListed): void {
    this.listed = listener;
  }

  /** A server says that its tools changed. */
  onChanged(listener: (connector: string) => void): void {
    this.changed = listener;
  }

  /** What the server lists for this session: now, or `check_s` ago at most. */
  async look(
    connector: string,
    owner: UpstreamOwner,
    wanted: Wanted,
    turn: UpstreamTurn,
  ): Promise<UpstreamAnswer<Look>> {
    const { check_s } = this.wayTo(connector);
    const open = this.openFor(connector, owner);
    const now_ms = this.clock.monotonic();
    if (now_ms - open.looked_ms >= check_s * 1000) open.look = undefined;
    const known = open.look;
    const look = (open.look ??= this.list(connector, open, turn).catch((error: unknown) => {
      open.look = undefined;
      throw error;
    }));
    const answer = await look;
    const isNew = known === undefined;
    if (answer.ok && (isNew || isAsApproved(answer.value, wanted))) return answer;
    if (open.look === look) open.look = undefined;
    // Somebody else's look broke off, for reasons of his own.
    return isNew ? answer : this.look(connector, owner, wanted, turn);
  }

  /** One call; never repeated here. Where the server has forgotten the session, a look is due. */
  async call(
    connector: string,
    owner: UpstreamOwner,
    asked: { readonly name: string; readonly args: Readonly<Record<string, unknown>> },
    turn: UpstreamTurn,
  ): Promise<UpstreamAnswer<UpstreamResult>> {
    const open = this.openFor(connector, owner);
    const answer = await open.mcp.call(asked.name, asked.args, turn);
    if (!answer.ok && answer.gone === true) open.look = undefined;
    return answer;
  }

  /** What the server lists for nobody in particular: without any credential. */
  lookAsNobody(connector: string, signal: AbortSignal): Promise<Listed> {
    return listOnce(this.wayTo(connector), { token: undefined, signal, clock: this.clock });
  }

  endpointOf(connector: string): UpstreamEndpoint {
    return this.wayTo(connector).endpoint;
  }

  /** Their access has ended: so have their sessions. */
  endSessions(isTheirs: (credential: Credential) => boolean): void {
    this.closeWhere(({ credential }) => isTheirs(credential));
  }

  async close(): Promise<void> {
    clearInterval(this.sweeper);
    const all = [...this.open.values()];
    this.open.clear();
    await Promise.all(all.map(({ mcp }) => mcp.close()));
    await Promise.all([...this.ways.values()].map((way) => way.close()));
  }

  private async list(
    connector: string,
    open: Open,
    turn: UpstreamTurn,
  ): Promise<UpstreamAnswer<Look>> {
    const { clock } = this;
    open.looked_ms = clock.monotonic();
    // Others may wait for it, who have less time.
    const until_ms = open.looked_ms + LOOK_MS_MAX;
    const left_ms = (): number => Math.min(turn.left_ms(), until_ms - clock.monotonic());
    const looking = { ...turn, left_ms };
    const first = await open.mcp.list(looking);
    // Nothing was asked of a session that was over: another one is opened.
    const answer = !first.ok && first.gone === true ? await open.mcp.list(looking) : first;
    if (!answer.ok) return { ...answer, sent: false };
    const seen = await this.listed(connector, answer.value);
    return { ok: true, value: { names: new Set(answer.value.map(({ name }) => name)), seen } };
  }

  private openFor(connector: string, owner: UpstreamOwner): Open {
    const key = JSON.stringify([owner.session, owner.rights, connector]);
    const now_ms = this.clock.monotonic();
    const known = this.open.get(key);
    this.open.delete(key);
    const open = known ?? this.opened(connector, owner);
    open.used_ms = now_ms;
    // The one that was used last stands last.
    this.open.set(key, open);
    const [oldest] = this.open.values();
    if (this.open.size > OPEN_MAX) this.closeWhere((one) => one === oldest);
    return open;
  }

  private opened(connector: string, { credential, user }: UpstreamOwner): Open {
    const mcp = this.wayTo(connector).open(user, () => {
      open.look = undefined;
      this.changed(connector);
    });
    const open: Open = { credential, mcp, look: undefined, looked_ms: 0, used_ms: 0 };
    return open;
  }

  private wayTo(connector: string): UpstreamWay {
    const way = this.ways.get(connector);
    if (way === undefined) throw new RangeError(`no MCP server behind ${connector}`);
    return way;
  }

  private sweep(): void {
    const idle_ms = this.clock.monotonic() - IDLE_MS_MAX;
    this.closeWhere(({ used_ms }) => used_ms < idle_ms);
  }

  private closeWhere(isOver: (open: Open) => boolean): void {
    for (const [key, one] of this.open) {
      if (!isOver(one)) continue;
      this.open.delete(key);
      // It has nothing to say to anybody, and its own way to end.
      one.mcp.close().catch(() => undefined);
    }
  }
}
