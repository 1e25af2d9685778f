// What a reader may ask of the ledger, and the index port that answers (DESIGN section 3, ports).
import type { Outcome } from "../kernel/errors.ts";
import type { AuditRecord } from "./record.ts";
import type { Tombstone } from "./tombstone.ts";

export interface AuditFilter {
  /** A subject, a readable name, or `ISSUER#SUBJECT`. */
  readonly user?: string | undefined;
  readonly tool?: string | undefined;
  /** The digests of that name, one a tenant: so it stands where there was no such tool. */
  readonly tool_digests?: readonly string[] | undefined;
  readonly outcome?: Outcome | undefined;
  /** A target such as `deal:42`. */
  readonly record?: string | undefined;
  /** Milliseconds since the epoch, inclusive. */
  readonly from_ms?: number | undefined;
  /** Exclusive. */
  readonly to_ms?: number | undefined;
  readonly session?: string | undefined;
  readonly call_id?: string | undefined;
  readonly agent?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/**
 * Who asks, and so whose records there are to find: to everybody else's the index is blind, names
 * included. A person reads his own, an auditor his tenant's, an operator all.
 */
export type Reader =
  | { readonly kind: "operator" }
  | { readonly kind: "auditor"; readonly tenant: string }
  | ({ readonly kind: "person" } & Identity);

export const OPERATOR: Reader = Object.freeze({ kind: "operator" });

export interface AuditPage {
  readonly records: readonly AuditRecord[];
  /** Asks for the next page; absent on the last. */
  readonly cursor?: string;
  /** The answer holds everything up to this sequence number. */
  readonly complete_to: number;
}

export interface Identity {
  readonly tenant: string | null;
  readonly issuer: string;
  readonly subject: string;
}

/** A name that fits two people: the question is refused, and says who they are. */
export class AmbiguousUser extends Error {
  override readonly name = "AmbiguousUser";
  readonly people: readonly string[];
  constructor(people: readonly string[], message: string) {
    super(message);
    this.people = people;
  }

  static of(user: string, people: readonly string[]): AmbiguousUser {
    const list = people.join(", ");
    return new AmbiguousUser(
      people,
      `${JSON.stringify(user)} fits ${people.length} people: ${list}`,
    );
  }
}

export class BadCursor extends Error {
  override readonly name = "BadCursor";
}

/** An event of this name says which version of a stored link (`id`) is the latest. */
export const LINK_EVENT = "link";

/** Derived from the log, and rebuilt from it; never the truth. */
export interface LedgerIndex {
  /** The last record that it held when it was opened: so many were durable once. */
  readonly held: number;
  /** Everything up to `seq` is durable, and may be read from the files. Returns at once. */
  follow(seq: number): void;
  /** Newest first, of what `follow` was told. Rejects with `AmbiguousUser` or `BadCursor`. */
  query(filter: AuditFilter, reader: Reader): Promise<AuditPage>;
  /** Whom a name means, once per tenant; empty where nobody. Rejects with `AmbiguousUser`. */
  identities(user: string): Promise<readonly Identity[]>;
  /** What tools said in a call, sealed as it was written. */
  toolLog(call_id: string): Promise<readonly unknown[]>;
  /** Every tenant of which it holds calls; null for people of none. */
  tenants(): Promise<readonly (string | null)[]>;
  /** Takes a person's readable name out of the index. */
  forget(identity: Identity): Promise<void>;
  /** The highest version of a stored link that the log knows; 0 where it knows of none. */
  linkVersion(id: string): Promise<number>;
  /** What would stand for everything up to `seq`, the end of a segment. */
  tombstoneAt(seq: number): Promise<Tombstone>;
  /** Forgets everything up to `seq`, which retention has dropped. */
  drop(seq: number): Promise<void>;
  /** Calls whose intent has no outcome. */
  orphans(): Promise<readonly string[]>;
  /** Forgets everything and reads the log again. Resolves with the last record that it holds. */
  rebuild(): Promise<number>;
  close(): Promise<void>;
}

/** The digest of a text where it is sealed in a tenant's records. */
export type DigestOf = (tenant: string | null, text: string) => string;

/** Where there are no keys: what is sealed is not found. */
export const noDigests: DigestOf = () => "(no key)";

/** The same question, which finds a tool also where its name is sealed. */
export async function withDigests(
  filter: AuditFilter,
  reader: Reader,
  index: Pick<LedgerIndex, "tenants">,
  digestOf: DigestOf,
): Promise<AuditFilter> {
  const { tool } = filter;
  if (tool === undefined) return filter;
  const tenants = reader.kind === "operator" ? await index.tenants() : [reader.tenant];
  return { ...filter, tool_digests: tenants.map((tenant) => digestOf(tenant, tool)) };
}

/** A question as the log may hold it: a name that is asked for is personal data there, too. */
export function askedOf(
  filter: AuditFilter,
  digest: (text: string) => string,
  toolName = digest,
): Readonly<Record<string, unknown>> {
  const { user, tool } = filter;
  return {
    ...filter,
    ...(user === undefined ? {} : { user: digest(user) }),
    ...(tool === undefined ? {} : { tool: toolName(tool) }),
  };
}

/** The readable names in lines' `user`, where they can still be read. */
export type NamesOf = (users: readonly unknown[]) => Promise<readonly (string | undefined)[]>;

/** Reads only what was never sealed. */
export const plainNames: NamesOf = (users) =>
  Promise.resolve(users.map((user) => (typeof user === "string" ? user : undefined)));
