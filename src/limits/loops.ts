// Loops: an agent that does the same again and again is refused until it does something else, or
// pauses. A warning would be read, and the call repeated (research, audit-limits-telemetry 4.3).
import type { LimitsConfig } from "../config/limits.ts";
import { canonicalJson, digestOf } from "../kernel/ids.ts";

/** What repeated. Names tools and a code, no argument. */
export interface Loop {
  readonly kind: "same_call" | "ping_pong" | "same_error";
  readonly tools: readonly string[];
  readonly times: number;
  readonly error_code?: string;
}

type Next =
  | { readonly loop: Loop; readonly full?: never; readonly ran?: never }
  | { readonly ran: () => void; readonly full?: never; readonly loop?: never }
  | { readonly full: true; readonly loop?: never; readonly ran?: never };

interface Asked {
  readonly tool: string;
  /** The arguments as JSON; a digest where they are long. */
  readonly text: string;
}

interface Failing {
  readonly code: string;
  times: number;
  at_ms: number;
}

/** One chain of calls, each after the other: those of a session that ran, or that were refused. */
interface Chain {
  at_ms: number;
  last: Asked | undefined;
  before: Asked | undefined;
  same: number;
  in_turn: number;
  readonly failing: Map<string, Failing>;
}

const TEXT_CHARS_MAX = 512;
const SWEPT_EVERY_MS = 1000;
const FAILING_MAX = 256;

export class Loops {
  private readonly limits: LimitsConfig["loops"];
  private readonly chains_max: number;
  private readonly within_ms: number;
  private readonly chains = new Map<string, Chain>();
  private swept_ms = Number.NEGATIVE_INFINITY;

  constructor(limits: LimitsConfig["loops"], chains_max: number) {
    this.limits = limits;
    this.chains_max = chains_max;
    this.within_ms = limits.within_s * 1000;
  }

  get size(): number {
    return this.chains.size;
  }

  /** A call that wants to run: the loop that it would go on with, or how to note that it ran. */
  next(chain_id: string, tool: string, args: unknown, now_ms: number): Next {
    const chain = this.chainOf(chain_id, now_ms);
    if (chain === undefined) return { full: true };
    const failing = this.failingOf(chain, tool, now_ms);
    if (failing !== undefined && failing.times >= this.limits.same_errors_max) {
      failing.at_ms = now_ms;
      const { times, code } = failing;
      return { loop: { kind: "same_error", tools: [tool], times, error_code: code } };
    }
    return this.follow(chain, { tool, text: textOf(args) }, args);
  }

  /**
   * A call that the rules refused: the loop that it goes on with. `error_code` where it counts
   * whatever the arguments are: who asks a human about ten refunds makes no mistake ten times.
   */
  refused(
    chain_id: string,
    tool: string,
    args: unknown,
    error_code: string | undefined,
    now_ms: number,
  ): Loop | undefined {
    const next = this.next(chain_id, tool, args, now_ms);
    // In a full table it is refused all the same, and not told why twice.
    if (next.full) return undefined;
    if (next.loop) return next.loop;
    next.ran();
    if (error_code !== undefined) this.ended(chain_id, tool, error_code, now_ms);
    return undefined;
  }

  /** A call of the tool passed the rules: what was refused of it is behind. */
  passed(refused_id: string, tool: string): void {
    const chain = this.chains.get(refused_id);
    if (chain === undefined) return;
    chain.failing.delete(tool);
    if (chain.last?.tool === tool || chain.before?.tool === tool) Object.assign(chain, fresh());
  }

  /** How a call of the chain ended. */
  ended(chain_id: string, tool: string, error_code: string | undefined, now_ms: number): void {
    const chain = this.chains.get(chain_id);
    if (chain === undefined) return;
    const failing = this.failingOf(chain, tool, now_ms);
    if (error_code === undefined) {
      chain.failing.delete(tool);
    } else if (failing?.code === error_code) {
      failing.times++;
      failing.at_ms = now_ms;
    } else if (chain.failing.size < FAILING_MAX) {
      chain.failing.set(tool, { code: error_code, times: 1, at_ms: now_ms });
    }
  }

  private follow(chain: Chain, asked: Asked, args: unknown): Next {
    const isLast = isSame(asked, chain.last, args);
    const isBefore = !isLast && isSame(asked, chain.before, args);
    const same = isLast ? chain.same + 1 : 1;
    // As long as it is one of the two it is no third one.
    const in_turn = isBefore ? chain.in_turn + 1 : isLast ? chain.in_turn : 0;
    const times = this.limits.same_calls_max;
    if (same > times) return { loop: { kind: "same_call", tools: [asked.tool], times } };
    // The first of each of the two repeats nothing.
    if (isBefore && in_turn + 2 > times) {
      const tools = [asked.tool, chain.last?.tool ?? asked.tool];
      return { loop: { kind: "ping_pong", tools, times } };
    }
    const ran = (): void => {
      chain.same = same;
      chain.in_turn = in_turn;
      if (isLast) return;
      chain.before = chain.last;
      chain.last = asked;
    };
    return { ran };
  }

  private failingOf(chain: Chain, tool: string, now_ms: number): Failing | undefined {
    const failing = chain.failing.get(tool);
    if (failing === undefined || now_ms - failing.at_ms < this.within_ms) return failing;
    chain.failing.delete(tool);
    return undefined;
  }

  private chainOf(id: string, now_ms: number): Chain | undefined {
    const known = this.chains.get(id);
    if (known !== undefined && now_ms - known.at_ms < this.within_ms) {
      known.at_ms = now_ms;
      return known;
    }
    if (known === undefined && !this.hasRoom(now_ms)) return undefined;
    const chain: Chain = { at_ms: now_ms, ...fresh(), failing: new Map() };
    this.chains.set(id, chain);
    return chain;
  }

  private hasRoom(now_ms: number): boolean {
    if (this.chains.size < this.chains_max) return true;
    if (now_ms - this.swept_ms < SWEPT_EVERY_MS) return false;
    this.swept_ms = now_ms;
    for (const [id, { at_ms }] of this.chains) {
      if (now_ms - at_ms >= this.within_ms) this.chains.delete(id);
    }
    return this.chains.size < this.chains_max;
  }
}

function fresh(): Pick<Chain, "last" | "before" | "same" | "in_turn"> {
  return { last: undefined, before: undefined, same: 0, in_turn: 0 };
}

function textOf(args: unknown): string {
  const text = JSON.stringify(args);
  return text.length <= TEXT_CHARS_MAX ? text : digestOf("loop-v1", canonicalJson(args));
}

// Whoever writes the same keys in another order writes the same letters in another order.
function isSame(asked: Asked, other: Asked | undefined, args: unknown): boolean {
  if (other === undefined || asked.tool !== other.tool) return false;
  if (asked.text === other.text) return true;
  if (asked.text.length !== other.text.length || !other.text.startsWith("{")) return false;
  if (sumOf(asked.text) !== sumOf(other.text)) return false;
  return canonicalJson(args) === canonicalJson(JSON.parse(other.text));
}

function sumOf(text: string): number {
  let sum = 0;
  for (let i = 0; i < text.length; i++) sum += text.charCodeAt(i);
  return sum;
}
