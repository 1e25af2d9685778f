// Session: our own notion, because 2026-07-28 has none (DESIGN section 2). A pure function of the
// credential, so that it needs no store and cannot be stolen by naming it.
import type { Credential } from "../kernel/principal.ts";
import { digestOf, inOnePiece } from "../kernel/ids.ts";

export interface Session {
  readonly id: string;
  /** Names the human: `userKey`. */
  readonly user: string;
  readonly agent: string;
  readonly client_id: string;
  /** False where the provider names no token family: the session is then coarser. */
  readonly has_family: boolean;
}

/** A credential is one object for as long as its verification holds: so is its session. */
const known = new WeakMap<Credential, Session>();

/** Issuer, subject, client, agent, token family. The id is a digest: it authenticates nobody. */
export function sessionOf(credential: Credential): Session {
  const found = known.get(credential);
  if (found !== undefined) return found;
  const made = makeSession(credential);
  known.set(credential, made);
  return made;
}

function makeSession({ principal, client_id, family, agent }: Credential): Session {
  const id = digestOf(
    "session-v1",
    principal.issuer,
    principal.subject,
    client_id,
    agent,
    family === undefined ? "coarse" : `family:${family}`,
  );
  return Object.freeze({
    id: inOnePiece("ses_", id.slice(0, 24)),
    user: userKey(principal.issuer, principal.subject),
    agent,
    client_id,
    has_family: family !== undefined,
  });
}

/** Names one human everywhere: issuer and subject, never an e-mail address. */
export function userKey(issuer: string, subject: string): string {
  return digestOf("user-v1", issuer, subject);
}
