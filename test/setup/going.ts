// Somebody who has signed in and goes on, as the rooms behind identity/ see her.
import type { Credential } from "../../src/kernel/principal.ts";
import { Secret } from "../../src/kernel/secret.ts";
import type { Going } from "../../src/session/reach.ts";
import { sessionOf } from "../../src/session/session.ts";

export const ISSUER = "https://login.test";

interface Changes extends Partial<Credential> {
  readonly subject?: string;
  readonly issuer?: string;
  readonly tenant?: string;
}

export function credentialOf(changes: Changes = {}): Credential {
  const { subject = "ada", issuer = ISSUER, tenant = "acme", ...rest } = changes;
  return {
    principal: { issuer, subject, name: subject, tenant, roles: [], actor_chain: [] },
    issuer_name: "corp",
    agent: "desk",
    client_id: "an-ide",
    scopes: [],
    family: "sign-in-1",
    issued_at_s: 1000,
    expires_at_ms: 9e12,
    token_digest: `digest of ${subject}`,
    incomplete: undefined,
    proof: new Secret("not looked at here"),
    ...rest,
  };
}

export function going(changes: Changes = {}): Going {
  const credential = credentialOf(changes);
  return { credential, session: sessionOf(credential) };
}
