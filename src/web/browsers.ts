// Browsers of people who have proved who they are: a cookie that names a session in memory. Before
// that nothing is kept here: what a sign-in needs on its way back travels in a sealed cookie.
import { randomBytes } from "node:crypto";
import { decrypt, encrypt } from "../delegation/aead.ts";
import type { Departure } from "../delegation/third-party.ts";
import type { Place } from "../delegation/vault.ts";
import type { SignInWay } from "../identity/sign-in.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Principal } from "../kernel/principal.ts";
import { userKey } from "../session/session.ts";

export const BROWSER_S = 900;
export const SIGN_IN_S = 600;
const BROWSERS_MAX = 10_000;
const BROWSERS_PER_PERSON_MAX = 8;
const JOURNEYS_MAX = 8;

/** On the way to an API's authorization server; only this browser may come back from it. */
export interface Journey {
  readonly place: Place;
  readonly departure: Omit<Departure, "url">;
  readonly ends_ms: number;
}

export interface BrowserSession {
  readonly id: string;
  readonly person: Principal;
  readonly issuer_name: string;
  /** In each of its forms; a page elsewhere does not know it. */
  readonly csrf: string;
  /** By the `state` parameter. Taken out when it comes back, whatever it brings. */
  readonly journeys: Map<string, Journey>;
  readonly made_ms: number;
  /** An attempt on somebody else's link was recorded: once is enough. */
  reported: boolean;
}

export interface SealedWay {
  readonly way: SignInWay;
  /** A path of ours. */
  readonly back_to: string;
  readonly ends_ms: number;
}

export class Browsers {
  private readonly sessions = new Map<string, BrowserSession>();
  private readonly key = randomBytes(32);
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  get(id: string | undefined): BrowserSession | undefined {
    const session = id === undefined ? undefined : this.sessions.get(id);
    if (session === undefined) return undefined;
    if (this.clock.now() - session.made_ms < BROWSER_S * 1000) return session;
    this.sessions.delete(session.id);
    return undefined;
  }

  /** A session with a new id: one that was planted in the browser before proves nothing. */
  open(person: Principal, issuer_name: string): BrowserSession {
    this.makeRoom(person);
    const session: BrowserSession = {
      id: randomBytes(32).toString("base64url"),
      person,
      issuer_name,
      csrf: randomBytes(32).toString("base64url"),
      journeys: new Map(),
      made_ms: this.clock.now(),
      reported: false,
    };
    this.sessions.set(session.id, session);
    return session;
  }

  close(id: string | undefined): void {
    if (id !== undefined) this.sessions.delete(id);
  }

  /** Their access has ended: they prove anew who they are. */
  closeOf(issuer: string, subject: string): void {
    for (const { id, person } of this.sessions.values()) {
      if (person.issuer === issuer && person.subject === subject) this.sessions.delete(id);
    }
  }

  private makeRoom(person: Principal): void {
    const key = keyOf(person);
    const same = [...this.sessions.values()].filter((session) => keyOf(session.person) === key);
    const [oldest] = this.sessions.values();
    if (same.length >= BROWSERS_PER_PERSON_MAX) this.close(same[0]?.id);
    else if (this.sessions.size >= BROWSERS_MAX) this.close(oldest?.id);
  }

  depart(session: BrowserSession, state: string, journey: Journey): void {
    const [oldest] = session.journeys.keys();
    if (session.journeys.size >= JOURNEYS_MAX && oldest !== undefined) {
      session.journeys.delete(oldest);
    }
    session.journeys.set(state, journey);
  }

  /** The journey that this browser began, once; nothing where it is another's, or too old. */
  arrive(session: BrowserSession, state: string): Journey | undefined {
    const journey = session.journeys.get(state);
    session.journeys.delete(state);
    return journey !== undefined && this.clock.now() < journey.ends_ms ? journey : undefined;
  }

  seal(way: SignInWay, back_to: string): string {
    const ends_ms = this.clock.now() + SIGN_IN_S * 1000;
    const text = JSON.stringify({ way, back_to, ends_ms } satisfies SealedWay);
    return encrypt(this.key, Buffer.from(text), SIGN_IN).toString("base64url");
  }

  unseal(sealed: string | undefined): SealedWay | undefined {
    if (sealed === undefined) return undefined;
    const plain = decrypt(this.key, Buffer.from(sealed, "base64url"), SIGN_IN);
    if (plain === undefined) return undefined;
    const found = JSON.parse(plain.toString("utf8")) as SealedWay;
    return this.clock.now() < found.ends_ms ? found : undefined;
  }
}

const SIGN_IN = Buffer.from("sign-in-v1");

function keyOf({ issuer, subject }: Principal): string {
  return userKey(issuer, subject);
}
