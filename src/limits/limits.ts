// The limits of one deployment: what a request and a call take, from whom, and who is short.
import type { ToolDefinition } from "../catalog/definition.ts";
import type { LimitsConfig, Rate } from "../config/limits.ts";
import type { Clock } from "../kernel/clock.ts";
import { errorTable, refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import { no, ok } from "../kernel/result.ts";
import type { Result } from "../kernel/result.ts";
import type { Going } from "../session/reach.ts";
import { userKey } from "../session/session.ts";
import { DayBudget } from "./budget.ts";
import { Crossings } from "./crossings.ts";
import type { SpendHistory } from "./history.ts";
import { Limiter, rateLimited } from "./limit.ts";
import type { Claim, Limit, Short } from "./limit.ts";
import { Loops } from "./loops.ts";
import type { Loop } from "./loops.ts";
import { RateLimit } from "./rate.ts";
import { Running } from "./running.ts";
import { DAY_MS, LimitTime } from "./time.ts";
import { Turns } from "./turns.ts";

export interface LimitsOptions {
  readonly limits: LimitsConfig;
  readonly clock: Clock;
  /** The wall clock was set by so much: whoever remembers times must know. */
  readonly onJump: (by_ms: number) => void;
}

/** A call that wants to run. */
export interface Wanted {
  readonly tool: ToolDefinition;
  readonly args: unknown;
}

/** What one call takes of the budgets. */
interface Weight {
  readonly tool: string;
  readonly destructive: boolean;
  /** As much as it can move, at most. */
  readonly bytes_max: number;
}

/** What a running call holds. Given back on every way out, once. */
export interface Lease {
  end(bytes: number, error_code: string | undefined): void;
}

/** Whom a call is charged to. */
interface Payer {
  readonly tenant: string;
  readonly user: string;
  readonly session: string;
  readonly client: string;
}

const CAPACITY_RETRY_MS = 250;
/** What a call of a tool that is gone could have moved. */
const GONE_BYTES_MAX = 8_388_608;

export class Limits {
  readonly running: Running;
  private readonly config: LimitsConfig;
  private readonly time: LimitTime;
  private readonly limiter: Limiter;
  private readonly loops: Loops;
  private readonly crossings = new Crossings();
  private readonly turns = new Turns();
  private readonly of: ReturnType<typeof limitsOf>;

  constructor({ limits, clock, onJump }: LimitsOptions) {
    this.config = limits;
    this.time = new LimitTime(clock, onJump);
    this.of = limitsOf(limits);
    this.limiter = new Limiter(Object.values(this.of), limits.keys_max);
    this.loops = new Loops(limits.loops, limits.keys_max);
    this.running = new Running(limits.running_calls_max, limits.running_calls_per_user_max);
  }

  /** Keys in memory. */
  get keys(): number {
    return this.limiter.keys + this.loops.size;
  }

  /** Whether that somebody reached a limit is to be told, since it was not told just now. */
  isNews(limit: string, session: string): boolean {
    return this.crossings.admits(limit, session, this.time.now());
  }

  /** Step 2: any request of a known user, whatever it asks for. */
  request({ session }: Going): Refusal | undefined {
    const { requests_per_user, requests_per_session } = this.of;
    const short = this.limiter.take(
      [
        { limit: requests_per_user, key: session.user, amount: 1 },
        { limit: requests_per_session, key: session.id, amount: 1 },
      ],
      this.time.now(),
    );
    return short && rateLimited(short);
  }

  /**
   * A call that steps 4 or 5 refused, which the same session may have sent before: then that is
   * what it is told. Judged among what was refused alone, so that a call that is allowed by now, as
   * after a human's yes, is never part of it.
   */
  refused({ session }: Going, { tool, args }: Wanted, why: Refusal): Refusal | undefined {
    const { who_can_fix, retry } = errorTable[why.code];
    // Whoever was told to come back may.
    if (retry === "after") return undefined;
    const code = who_can_fix === "agent" ? why.code : undefined;
    const loop = this.loops.refused(refusedIn(session.id), tool.name, args, code, this.time.now());
    return loop && loopDetected(loop);
  }

  /** Step 6: a call that may run. Takes everything or nothing. */
  take({ credential, session }: Going, wanted: Wanted): Result<Lease> {
    const { args } = wanted;
    const now_ms = this.time.now();
    const chain = chainOf(session.id, wanted.tool);
    const weight = this.weigh(wanted.tool);
    const { tool, bytes_max } = weight;
    const next = this.loops.next(chain, tool, args, now_ms);
    if (next.full) return no(capacity("keys_max", "server"));
    if (next.loop) return no(loopDetected(next.loop));
    const full = this.running.fullFor(session.user);
    if (full === "user") return no(capacity("running_calls_per_user_max", "user"));
    if (full === "all") return no(capacity("running_calls_max", "server"));
    const { issuer, tenant = null } = credential.principal;
    const { client_id } = session;
    const payer = payerOf({ tenant, issuer, user: session.user, session: session.id, client_id });
    const claims = this.claimsOf(payer, weight);
    const short = this.notItsTurn(payer, now_ms) ?? this.limiter.take(claims, now_ms);
    if (short?.claim.limit === this.of.calls_per_user) {
      this.turns.refused(session.user, session.id, short.retry_after_ms, now_ms);
    }
    if (short !== undefined) return no(rateLimited(short));
    this.turns.took(session.user, session.id);
    const leave = this.running.enter(session.user);
    if (leave === undefined) throw new Error("there was a place a moment ago");
    next.ran();
    this.loops.passed(refusedIn(session.id), tool);
    let ended = false;
    return ok({
      end: (bytes, error_code) => {
        if (ended) return;
        ended = true;
        leave();
        this.settle(payer, bytes_max, bytes, now_ms);
        this.loops.ended(chain, tool, error_code, this.time.now());
      },
    });
  }

  /** The last call that is there is kept for another session of the same user. */
  private notItsTurn({ user, session }: Payer, now_ms: number): Short | undefined {
    const kept_ms = this.turns.kept(user, session, now_ms);
    if (kept_ms === 0) return undefined;
    const limit = this.of.calls_per_user;
    const both_ms = limit.wait(user, 2, now_ms);
    if (both_ms === 0) return undefined;
    const claim = { limit, key: user, amount: 1 };
    return { claim, retry_after_ms: Math.min(both_ms, kept_ms), remaining: 0 };
  }

  /** Takes what was spent before this start. */
  recall(history: SpendHistory, toolOf: (name: string) => ToolDefinition | undefined): void {
    const { time } = this;
    let jumped_ms = 0;
    let last_ms = Number.NEGATIVE_INFINITY;
    const unsettled = new Map<string, { payer: Payer; bytes_max: number; taken_ms: number }>();
    for (const spent of history.spent(time.wall_ms - this.remembered_ms)) {
      switch (spent.kind) {
        case "jumped":
          jumped_ms += spent.by_ms;
          break;
        case "ran": {
          last_ms = Math.max(last_ms, time.of(spent.time_ms, jumped_ms));
          const tool = toolOf(spent.tool);
          const bytes_max = tool === undefined ? GONE_BYTES_MAX : this.weigh(tool).bytes_max;
          const user = userKey(spent.issuer, spent.subject);
          const payer = payerOf({ ...spent, user });
          unsettled.set(spent.call_id, { payer, bytes_max, taken_ms: last_ms });
          this.limiter.owe(this.claimsOf(payer, { ...spent, bytes_max }), last_ms);
          break;
        }
        case "ended": {
          const call = unsettled.get(spent.call_id);
          unsettled.delete(spent.call_id);
          if (call) this.settle(call.payer, call.bytes_max, spent.bytes, call.taken_ms);
        }
      }
    }
    time.resume(jumped_ms, last_ms);
  }

  /** Nothing before that counts any more. */
  private get remembered_ms(): number {
    const rates = Object.values(this.of).filter((limit) => limit instanceof RateLimit);
    return Math.max(DAY_MS, ...rates.map(({ refill_ms }) => refill_ms));
  }

  private claimsOf(
    { tenant, user, session, client }: Payer,
    { tool, destructive, bytes_max }: Weight,
  ): Claim[] {
    const { of } = this;
    const cost = Object.hasOwn(this.config.costs, tool) ? (this.config.costs[tool] ?? 1) : 1;
    const claims: Claim[] = [
      { limit: of.calls_per_user, key: user, amount: 1 },
      { limit: of.calls_per_session, key: session, amount: 1 },
      { limit: of.calls_per_user_and_tool, key: `${user} ${tool}`, amount: 1 },
      { limit: of.calls_per_session_and_tool, key: `${session} ${tool}`, amount: 1 },
      { limit: of.calls_per_tenant, key: tenant, amount: 1 },
      { limit: of.calls_per_tool, key: tool, amount: 1 },
      { limit: of.calls_per_client, key: client, amount: 1 },
      { limit: of.user_calls, key: user, amount: 1 },
      { limit: of.user_bytes, key: user, amount: bytes_max },
      { limit: of.user_cost, key: user, amount: cost },
      { limit: of.tenant_calls, key: tenant, amount: 1 },
      { limit: of.tenant_bytes, key: tenant, amount: bytes_max },
      { limit: of.tenant_cost, key: tenant, amount: cost },
    ];
    if (destructive) claims.push({ limit: of.destructive_calls_per_user, key: user, amount: 1 });
    return claims;
  }

  private weigh(tool: ToolDefinition): Weight {
    const { name, effects } = tool;
    return { tool: name, destructive: effects.destructive, bytes_max: this.bytesMaxOf(tool) };
  }

  // Generated code moves nothing itself: each tool that it calls pays for its own.
  private bytesMaxOf(tool: ToolDefinition): number {
    if (tool.kind === "generated") return 0;
    const once = this.config.request_bytes_max + tool.response_bytes_max;
    return tool.kind === "code" ? once * tool.requests_max : once;
  }

  private settle({ user, tenant }: Payer, taken: number, used: number, taken_ms: number): void {
    this.of.user_bytes.giveBack(user, taken, used, taken_ms);
    this.of.tenant_bytes.giveBack(tenant, taken, used, taken_ms);
  }
}

// A session's calls are one chain, its code's among them, over however many runs. Those themselves
// are another: each would end the loop that the calls inside are.
function chainOf(session: string, { kind }: ToolDefinition): string {
  return kind === "generated" ? `${session} code` : session;
}

function refusedIn(session: string): string {
  return `${session} refused`;
}

function payerOf(who: {
  readonly tenant: string | null;
  readonly issuer: string;
  readonly user: string;
  readonly session: string;
  readonly client_id: string;
}): Payer {
  const { tenant, issuer, user, session, client_id } = who;
  // Two issuers' tenants and clients may have the same names.
  return { user, session, tenant: `${issuer} ${tenant ?? ""}`, client: `${issuer} ${client_id}` };
}

/** Every limit, by its name here; budgets have the configuration's name. */
function limitsOf(config: LimitsConfig) {
  const rate = (name: string, scope: string, its: Rate): RateLimit =>
    new RateLimit(name, scope, its);
  const budget = (whose: "user" | "tenant", what: "calls" | "bytes" | "cost"): DayBudget =>
    new DayBudget(`budget_per_${whose}.${what}`, whose, config[`budget_per_${whose}`][what]);
  const of = config;
  return {
    requests_per_user: rate("requests_per_user", "user", of.requests_per_user),
    requests_per_session: rate(
      "requests_per_session",
      "session",
      of.requests_per_session ?? of.requests_per_user,
    ),
    calls_per_user: rate("calls_per_user", "user", of.calls_per_user),
    calls_per_session: rate(
      "calls_per_session",
      "session",
      of.calls_per_session ?? of.calls_per_user,
    ),
    calls_per_user_and_tool: rate(
      "calls_per_user_and_tool",
      "user and tool",
      of.calls_per_user_and_tool,
    ),
    calls_per_session_and_tool: rate(
      "calls_per_session_and_tool",
      "session and tool",
      of.calls_per_session_and_tool ?? of.calls_per_user_and_tool,
    ),
    calls_per_tenant: rate("calls_per_tenant", "tenant", of.calls_per_tenant),
    calls_per_tool: rate("calls_per_tool", "tool", of.calls_per_tool),
    calls_per_client: rate("calls_per_client", "client", of.calls_per_client),
    destructive_calls_per_user: rate(
      "destructive_calls_per_user",
      "user",
      of.destructive_calls_per_user,
    ),
    user_calls: budget("user", "calls"),
    user_bytes: budget("user", "bytes"),
    user_cost: budget("user", "cost"),
    tenant_calls: budget("tenant", "calls"),
    tenant_bytes: budget("tenant", "bytes"),
    tenant_cost: budget("tenant", "cost"),
  } satisfies Record<string, Limit>;
}

function capacity(limit: string, scope: string): Refusal {
  return refusal("capacity", {
    reason: `The limit ${limit} is reached.`,
    retry_after_ms: CAPACITY_RETRY_MS,
    details: { limit, scope, remaining: 0 },
  });
}

function loopDetected(loop: Loop): Refusal {
  const what: Readonly<Record<Loop["kind"], string>> = {
    same_call: `The same call of ${loop.tools[0]} came ${loop.times} times in a row.`,
    ping_pong: `${loop.tools.join(" and ")} came in turn, ${loop.times} calls in a row.`,
    same_error: `${loop.tools[0]} failed ${loop.times} times in a row with ${loop.error_code}.`,
  };
  return refusal("loop_detected", { reason: what[loop.kind], details: { repeated: loop } });
}
