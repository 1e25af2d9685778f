// Somebody who goes on, for the tests of this room.
import type { Credential } from "../../../src/kernel/principal.ts";
import { Secret } from "../../../src/kernel/secret.ts";
import type { Going } from "../../../src/session/reach.ts";
import { sessionOf } from "../../../src/session/session.ts";

export const ISSUER = "https://login.test";

interface Changes extends Partial<Credential> {
  readonly subject?: string;
  readonly issuer?: string;
}

export function going(changes: Changes = {}): Going {
  const { subject = "ada", issuer = ISSUER, ...rest } = changes;
  const credential: Credential = {
    principal: { issuer, subject, name: "Ada", tenant: "acme", roles: [], actor_chain: [] },
    issuer_name: "corp",
    agent: "desk",
    client_id: "an-ide",
    scopes: [],
    family: "sign-in-1",
    issued_at_s: 1000,
    expires_at_ms: 9e12,
    token_digest: `digest of ${subject}`,
    incomplete: undefined,
    proof: new Secret("x"),
    ...rest,
  };
  return { credential, session: sessionOf(credential) };
}
