// What operators do about people who are at it right now: see sessions, end one, lock and unlock.
// What stops somebody holds first, and is recorded then: a full disk keeps nobody in. All else is
// an event in the ledger before it is done. It holds when the answer comes.
import { z } from "zod";
import type { Clock } from "../kernel/clock.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { AmbiguousUser } from "../ledger/query.ts";
import type { Identity } from "../ledger/query.ts";
import type { Reach } from "../session/reach.ts";
import { reachText } from "../session/reach.ts";
import type { Sessions } from "../session/sessions.ts";
import type { Lock } from "../session/stop-store.ts";
import type { Stops } from "../session/stops.ts";
import { note, noteSoon } from "./audit-desk.ts";
import { BadQuestion } from "./people.ts";
import type { House } from "./house.ts";

const asked = { os_user: z.string().max(100) };
const what = z.string().min(1).max(600);
const schemas = {
  plain: z.strictObject(asked),
  session: z.strictObject({ ...asked, session: z.string().max(100) }),
  lock: z.strictObject({ ...asked, what, reason: z.string().max(500).default("") }),
  unlock: z.strictObject({ ...asked, what }),
};

const SESSION_ID = /^ses_[A-Za-z0-9_-]{24}$/;

export interface SessionDeskOptions {
  readonly house: () => House;
  readonly ledger: Ledger;
  readonly sessions: Sessions;
  readonly stops: Stops;
  readonly clock: Clock;
}

/** The questions, by their path on the local socket. */
export function createSessionDesk(options: SessionDeskOptions) {
  const { ledger, sessions, stops, clock } = options;
  return {
    async "/sessions"(body: unknown) {
      const { os_user } = schemas.plain.parse(body);
      await note(ledger, "sessions ls", os_user, {});
      return { sessions: listed(sessions, stops) };
    },
    async "/sessions/kill"(body: unknown) {
      const { session, os_user } = schemas.session.parse(body);
      mustBeSession(session);
      const until_s = Math.floor(clock.now() / 1000);
      stops.end({ kind: "session", session, until_s }, until_s);
      const recorded = await noteSoon(ledger, "sessions kill", os_user, { session });
      return { killed: session, seen: sessions.has(session), durable: isKept(options), recorded };
    },
    async "/locks"(body: unknown) {
      const { os_user } = schemas.plain.parse(body);
      await note(ledger, "lock ls", os_user, {});
      return { locks: stops.locks().map(shown) };
    },
    async "/locks/add"(body: unknown) {
      const { what: named, reason, os_user } = schemas.lock.parse(body);
      const reach = await reachNamed(options, named);
      const since = new Date(clock.now()).toISOString();
      const lock: Lock = { reach, reason: oneLine(reason), by: os_user, since };
      stops.lock(lock);
      const recorded = await noteSoon(ledger, "lock add", os_user, { ...shown(lock) });
      return { lock: { ...shown(lock), durable: isKept(options), recorded } };
    },
    async "/locks/rm"(body: unknown) {
      const { what: named, os_user } = schemas.unlock.parse(body);
      // What is locked may be gone from the configuration; the lock can be lifted all the same.
      const held = stops.locks().find((lock) => reachText(lock.reach) === named);
      const reach = held?.reach ?? (await reachNamed(options, named));
      await note(ledger, "lock rm", os_user, { lock: reachText(reach) });
      return { removed: stops.unlock(reach), lock: reachText(reach) };
    },
  };
}

function isKept({ stops, ledger }: SessionDeskOptions): boolean {
  return stops.keep() || (ledger.makeRoom() && stops.keep());
}

function listed(sessions: Sessions, stops: Stops) {
  const counts = new Map<string, { calls: number; streams: number }>();
  for (const { session, tool } of stops.underWay) {
    const count = counts.get(session.id) ?? { calls: 0, streams: 0 };
    if (tool === undefined) count.streams++;
    else count.calls++;
    counts.set(session.id, count);
  }
  return sessions.list().map((session) => ({
    ...session,
    ...(counts.get(session.id) ?? { calls: 0, streams: 0 }),
  }));
}

function shown({ reach, reason, by, since }: Lock) {
  return { lock: reachText(reach), reason, by, since };
}

function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, " ").trim();
}

function mustBeSession(id: string): void {
  if (SESSION_ID.test(id)) return;
  throw new BadQuestion(`${JSON.stringify(id)} is no session's id; \`sessions ls\` lists them`);
}

/** `user:U`, `session:S`, `tool:T`, `agent:A` or `all`; what is not there cannot be locked. */
async function reachNamed(options: SessionDeskOptions, text: string): Promise<Reach> {
  const { config, catalog } = options.house();
  const [, kind, name = ""] = /^(user|session|tool|agent):(.+)$/s.exec(text) ?? [];
  const mustBeAmong = (known: Iterable<string>): void => {
    const names = [...known];
    if (names.includes(name)) return;
    throw new BadQuestion(
      `there is no ${kind} ${JSON.stringify(name)}; there are: ${names.join(", ")}`,
    );
  };
  switch (kind) {
    case "user":
      return userNamed(options, name);
    case "session":
      mustBeSession(name);
      return { kind, session: name };
    case "tool":
      mustBeAmong(catalog.tools.keys());
      return { kind, tool: name };
    case "agent":
      mustBeAmong(Object.keys(config.agents));
      return { kind, agent: name };
    default:
      break;
  }
  if (text === "all") return { kind: "all" };
  const forms = "user:U, session:S, tool:T, agent:A or all";
  throw new BadQuestion(`${JSON.stringify(text)} is none of ${forms}`);
}

// An index that cannot be asked, as on a full disk, must not keep an operator from a stop.
function unlessAmbiguous(error: unknown): readonly Identity[] {
  if (error instanceof AmbiguousUser) throw error;
  return [];
}

/**
 * ISSUER#SUBJECT as it stands; else whoever the configuration, the sessions of now or the ledger
 * know by this subject or name. A lock on nobody would look like one.
 */
async function userNamed(
  { house, sessions, ledger }: SessionDeskOptions,
  name: string,
): Promise<Reach> {
  const { config } = house();
  const issuers = Object.values(config.issuers).map(({ issuer }) => issuer);
  const hash = name.lastIndexOf("#");
  if (hash > 0 && issuers.includes(name.slice(0, hash)) && hash < name.length - 1) {
    return { kind: "user", issuer: name.slice(0, hash), subject: name.slice(hash + 1) };
  }
  const wanted = name.normalize("NFC");
  const people = [
    ...Object.entries(config.people).flatMap(([subject, person]) => {
      const issuer = config.issuers[person.issuer]?.issuer;
      return issuer === undefined || subject !== name ? [] : [{ issuer, subject }];
    }),
    ...sessions.list().filter((s) => s.subject === name || s.name === wanted),
    ...(await ledger.identities(name).catch(unlessAmbiguous)),
  ];
  const found = new Map(people.map((p) => [`${p.issuer}#${p.subject}`, p]));
  const [first] = found.values();
  if (first === undefined) {
    const mend = `write it as ISSUER#SUBJECT, with one of: ${issuers.join(", ")}`;
    throw new BadQuestion(`nobody is known as ${JSON.stringify(name)}; ${mend}`);
  }
  if (found.size > 1) {
    const all = [...found.keys()].join(", ");
    throw new BadQuestion(`${JSON.stringify(name)} fits ${found.size} people: ${all}`);
  }
  return { kind: "user", issuer: first.issuer, subject: first.subject };
}
