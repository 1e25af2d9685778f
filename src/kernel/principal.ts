// Principal and Credential: who is calling, and the proof that only delegation/ opens (DESIGN 2).
import type { Secret } from "./secret.ts";

/** The verified human. Absent is `undefined`, never an empty object. Holds no token. */
export interface Principal {
  readonly issuer: string;
  readonly subject: string;
  /** Readable name, for people who read the ledger; never used to decide anything. */
  readonly name: string;
  readonly tenant: string | undefined;
  readonly roles: readonly string[];
  /** More of the token's claims, by the configuration's names: what rules may ask of the user. */
  readonly attributes?: Readonly<Record<string, string | readonly string[]>>;
  /** RFC 8693 section 4.1, outermost actor first. */
  readonly actor_chain: readonly string[];
}

/** What identity/ proved about one credential. */
export interface Credential {
  readonly principal: Principal;
  /** The configured name of the issuer. */
  readonly issuer_name: string;
  /** The one agent that it was issued for. */
  readonly agent: string;
  readonly client_id: string;
  readonly scopes: readonly string[];
  /** Token family (`sid` or grant) where the provider names one. */
  readonly family: string | undefined;
  /** iat: whole seconds since the epoch, as the provider counts them. */
  readonly issued_at_s: number;
  readonly expires_at_ms: number;
  /** Why nobody can say what this user may do, where the token lacks what decides it. */
  readonly incomplete: string | undefined;
  /** Names the token where it must not stand. */
  readonly token_digest: string;
  /** The token itself. Only delegation/ reveals it. */
  readonly proof: Secret;
}
