// Liveness: what must be asked for. The provider is asked whether a token is still good, at most
// once per `bound_ms` and token; an older answer is no answer, and no answer lets nobody on.
import type { Clock } from "../kernel/clock.ts";
import { refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import type { Credential } from "../kernel/principal.ts";
import type { Stops, Watch } from "./stops.ts";

/**
 * Asks the provider about a credential: nothing where it is good, `invalid_token` where it has
 * ended, `identity_unavailable` where nobody can say.
 */
export type Ask = (credential: Credential) => Promise<Refusal | undefined>;

/** How revocation becomes known at one issuer, as it is shown and recorded. */
export interface LivenessFact {
  readonly source: "introspection" | "exchange" | "events" | "token_lifetime";
  readonly bound_ms: number;
}

/** One issuer's: how, and, where it is asked for, whom. */
export interface IssuerLiveness extends LivenessFact {
  readonly ask: Ask | undefined;
}

const ANSWERS_MAX = 10_000;
/** A refusal is asked about again after this long: one who is out must not flood the provider. */
const REFUSED_MS = 500;
/** The part of the bound after which a token in use is asked about again. */
const EARLY = 0.75;
const LOOK_EVERY_MS_MIN = 50;
const LOOK_EVERY_MS_MAX = 500;

interface Answer {
  /** When the question was sent: what happened later is not in the answer. */
  readonly asked_ms: number;
  readonly refused: Refusal | undefined;
  /** When the newest question was sent that was answered with yes. */
  readonly good_ms: number;
}

export class Liveness {
  private readonly issuers: ReadonlyMap<string, IssuerLiveness>;
  private readonly facts: ReadonlyMap<string, LivenessFact>;
  private readonly clock: Clock;
  private readonly answers = new Map<string, Answer>();
  private readonly asking = new Map<string, Promise<Answer>>();
  private timer: NodeJS.Timeout | undefined;
  private tellEnded: (credential: Credential) => void = () => undefined;

  /** `issuers` by configured name. */
  constructor(issuers: ReadonlyMap<string, IssuerLiveness>, clock: Clock) {
    this.issuers = issuers;
    this.facts = new Map(
      [...issuers].map(([name, { source, bound_ms }]) => [
        name,
        Object.freeze({ source, bound_ms }),
      ]),
    );
    this.clock = clock;
  }

  /** Hears of each token that its provider no longer stands by, once. */
  onEnded(listener: (credential: Credential) => void): void {
    this.tellEnded = listener;
  }

  /** What is recorded with each call of this credential. */
  factOf({ issuer_name }: Credential): LivenessFact {
    const known = this.facts.get(issuer_name);
    if (known === undefined) throw new RangeError(`no issuer ${issuer_name}`);
    return known;
  }

  /** Nothing where the provider vouched for the token within the bound; asks where it has not. */
  check(credential: Credential): Promise<Refusal | undefined> | Refusal | undefined {
    const issuer = this.issuers.get(credential.issuer_name);
    if (issuer?.ask === undefined) return undefined;
    const known = this.answers.get(credential.token_digest);
    if (known !== undefined) {
      const age_ms = this.age(known.good_ms);
      // Asked early, so that whoever is at it need not wait, and a slow provider has time.
      if (age_ms >= issuer.bound_ms * EARLY && age_ms < issuer.bound_ms) {
        void this.askNow(credential, issuer);
      }
      if (age_ms < issuer.bound_ms) return undefined;
      if (known.refused !== undefined && this.age(known.asked_ms) < REFUSED_MS) {
        return known.refused;
      }
    }
    return this.askNow(credential, issuer).then(({ refused, good_ms }) =>
      refused === undefined && this.age(good_ms) > issuer.bound_ms ? late() : refused,
    );
  }

  private age(since_ms: number): number {
    return this.clock.monotonic() - since_ms;
  }

  // Whoever comes while a question is under way waits for its answer: it was sent before, so it is
  // no fresher than one of his own, and the bound counts from when it was sent.
  private askNow(credential: Credential, issuer: IssuerLiveness): Promise<Answer> {
    const { token_digest } = credential;
    const already = this.asking.get(token_digest);
    if (already !== undefined) return already;
    const asked_ms = this.clock.monotonic();
    const answer = withinBound(issuer, credential)
      .then((refused) => {
        const before = this.answers.get(token_digest)?.refused?.code;
        const answered = this.remember(token_digest, asked_ms, refused);
        if (isOut(refused) && before !== refused?.code) this.tellEnded(credential);
        return answered;
      })
      .finally(() => this.asking.delete(token_digest));
    this.asking.set(token_digest, answer);
    return answer;
  }

  private remember(digest: string, asked_ms: number, refused: Refusal | undefined): Answer {
    const answer = { asked_ms, refused, good_ms: this.goodSince(digest, asked_ms, refused) };
    this.answers.delete(digest);
    this.answers.set(digest, answer);
    const oldest = this.answers.keys().next();
    // A forgotten answer is asked for again: always safe.
    if (this.answers.size > ANSWERS_MAX && oldest.done === false) this.answers.delete(oldest.value);
    return answer;
  }

  // No answer leaves the last good one standing for what is left of its bound; "ended" does not.
  private goodSince(digest: string, asked_ms: number, refused: Refusal | undefined): number {
    if (refused === undefined) return asked_ms;
    if (isOut(refused)) return Number.NEGATIVE_INFINITY;
    return this.answers.get(digest)?.good_ms ?? Number.NEGATIVE_INFINITY;
  }

  /** From now on asks again while something is under way, and ends what has no fresh answer. */
  follow(stops: Stops): void {
    const bounds = [...this.issuers.values()].flatMap(({ ask, bound_ms }) =>
      ask === undefined ? [] : [bound_ms],
    );
    if (bounds.length === 0) return;
    const every_ms = Math.min(...bounds) / 4;
    this.timer = setInterval(
      () => this.look(stops),
      Math.max(LOOK_EVERY_MS_MIN, Math.min(LOOK_EVERY_MS_MAX, every_ms)),
    ).unref();
  }

  /** One round over everything under way; each token once. */
  look(stops: Stops): void {
    const tokens = new Map<string, Watch>();
    for (const watch of stops.underWay) tokens.set(watch.credential.token_digest, watch);
    for (const [digest, { credential }] of tokens) {
      const issuer = this.issuers.get(credential.issuer_name);
      if (issuer?.ask === undefined) continue;
      const known = this.answers.get(digest);
      if (known !== undefined && this.age(known.good_ms) >= issuer.bound_ms) {
        stops.endWatches(digest, ended(known.refused));
      } else if (this.age(known?.good_ms ?? Number.NEGATIVE_INFINITY) >= issuer.bound_ms / 2) {
        // Half the bound is left for the provider to answer in.
        void this.askNow(credential, issuer).then(({ refused }) => {
          if (isOut(refused)) stops.endWatches(digest, ended(refused));
        });
      }
    }
  }

  close(): void {
    clearInterval(this.timer);
  }
}

// The answer of a provider that takes longer than the bound would be stale when it comes.
async function withinBound(
  { ask, bound_ms }: IssuerLiveness,
  credential: Credential,
): Promise<Refusal | undefined> {
  if (ask === undefined) return undefined;
  const { promise, resolve } = Promise.withResolvers<Refusal>();
  const timer = setTimeout(() => resolve(late()), bound_ms);
  try {
    return await Promise.race([ask(credential), promise]);
  } catch (error) {
    return refusal("identity_unavailable", { retry_after_ms: 1000, cause: String(error) });
  } finally {
    clearTimeout(timer);
  }
}

function late(): Refusal {
  const cause = "the provider was asked whether the token is still good, and was too slow";
  return refusal("identity_unavailable", { retry_after_ms: 1000, cause });
}

// To what runs: gone, or no longer known to be there.
function ended(refused: Refusal | undefined): Refusal {
  return isOut(refused) ? refusal("access_revoked") : late();
}

function isOut(refused: Refusal | undefined): boolean {
  return refused?.code === "invalid_token";
}
