// The vault: people's links to third-party APIs, each sealed under a key of its own with its owner,
// connector and version as associated data. A row that was swapped, edited or put back from an
// older copy does not open, or is older than what the ledger knows; both are `VaultDamaged`.
// @see docs/adr/0010-the-vault.md
import { randomBytes } from "node:crypto";
import type { Clock } from "../kernel/clock.ts";
import { digestOf } from "../kernel/ids.ts";
import { decrypt, encrypt } from "./aead.ts";
import { KeyRefused } from "./key-service.ts";
import type { KeyService, WrappedKey } from "./key-service.ts";

/** Whose link it is, and to what. A person in two tenants has two. */
export interface Place {
  readonly tenant: string | null;
  readonly issuer: string;
  readonly subject: string;
  readonly connector: string;
}

/** One row as it is stored. Without `sealed` it is a tombstone: the link was taken away. */
export interface VaultRow extends Place {
  readonly id: string;
  /** From 1, upwards; no version comes twice. */
  readonly version: number;
  readonly changed_ms: number;
  readonly sealed: { readonly key: WrappedKey; readonly data: Buffer } | undefined;
  /** A refresh was sent and its answer never came: nobody knows which token is good. */
  readonly in_doubt: boolean;
}

export type Leased = "leased" | "busy";

/** Where rows are kept. Everything that resolves is durable. */
export interface VaultStore {
  get(id: string): Promise<VaultRow | undefined>;
  /**
   * Writes `row` where the stored version is `before` (no row: 0). Ends any lease.
   * False where somebody else was faster.
   */
  swap(row: Omit<VaultRow, "in_doubt">, before: number): Promise<boolean>;
  /** Replaces the wrapped key alone, where the version is still this one. */
  rewrap(id: string, version: number, key: WrappedKey): Promise<boolean>;
  /** One holder at a time, over all processes; a lease that ran out is anybody's. */
  lease(id: string, holder: string, now_ms: number, until_ms: number): Promise<Leased>;
  /** The holder is about to send: from here to the next `swap` the row is in doubt. */
  doubt(id: string, holder: string): Promise<void>;
  /** `certain`: what was sent changed nothing, or nothing was sent. */
  release(id: string, holder: string, certain: boolean): Promise<void>;
  list(): Promise<readonly VaultRow[]>;
  close(): void;
}

/** What the ledger knows of versions: the reason why a row cannot be put back. */
export interface VersionLog {
  /** The highest version that was recorded; 0 where none was. */
  known(id: string): Promise<number>;
  /** Resolves when durable. */
  record(place: Place, id: string, version: number, what: string): Promise<void>;
}

/** What is in a row. `rotates`: the server has given a new refresh token with a refresh before. */
export type VaultContent =
  | {
      readonly kind: "oauth";
      readonly access_token: string;
      readonly refresh_token: string | undefined;
      readonly obtained_ms: number;
      readonly expires_ms: number;
      readonly scopes: readonly string[];
      /** The account at the API, as its server names it. */
      readonly account: string | undefined;
      readonly account_label: string | undefined;
    }
  | { readonly kind: "key"; readonly key: string };

export interface Opened {
  readonly row: VaultRow;
  readonly content: VaultContent;
}

/** Refuse, and tell an operator: it was not us who wrote this row last. */
export class VaultDamaged extends Error {
  override readonly name = "VaultDamaged";
}

export interface VaultOptions {
  readonly store: VaultStore;
  readonly keys: KeyService;
  readonly versions: VersionLog;
  readonly clock: Clock;
}

export function idOf({ tenant, issuer, subject, connector }: Place): string {
  return digestOf("vault-v1", tenant === null ? "-" : `+${tenant}`, issuer, subject, connector);
}

export class Vault {
  private readonly options: VaultOptions;

  constructor(options: VaultOptions) {
    this.options = options;
  }

  /** The link, `undefined` where there is none. Throws `VaultDamaged` or `KeyRefused`. */
  async open(place: Place): Promise<Opened | undefined> {
    const id = idOf(place);
    const row = await this.options.store.get(id);
    const known = await this.options.versions.known(id);
    if (row === undefined) {
      if (known === 0) return undefined;
      throw new VaultDamaged(`the row is gone; the ledger knows version ${known}`);
    }
    if (row.version < known) {
      throw new VaultDamaged(`version ${row.version} was put back; the ledger knows ${known}`);
    }
    if (!isAt(row, place)) throw new VaultDamaged("the row is another person's or connector's");
    const content = row.sealed === undefined ? undefined : await this.unseal(row, row.sealed);
    if (row.version > known) {
      // Written and not yet recorded when a process died: recorded now, or not used.
      await this.options.versions.record(place, id, row.version, "found");
    }
    return content === undefined ? undefined : { row, content };
  }

  /**
   * Stores `content` after the version `before`, or after whatever is there, damaged or not.
   * False where somebody else wrote meanwhile.
   */
  async write(
    place: Place,
    content: VaultContent | undefined,
    before: number | "whatever",
    what: string,
  ): Promise<boolean> {
    const { store, versions, clock } = this.options;
    const id = idOf(place);
    const stored = before === "whatever" ? ((await store.get(id))?.version ?? 0) : before;
    // Above what the ledger knows as well: where a row was put back, its versions were used.
    const version = Math.max(stored, await versions.known(id)) + 1;
    const sealed = content === undefined ? undefined : await this.seal(place, version, content);
    const changed_ms = clock.now();
    if (!(await store.swap({ ...place, id, version, changed_ms, sealed }, stored))) return false;
    await versions.record(place, id, version, what);
    return true;
  }

  /** A new key wraps every row. The old ones are forgotten when no row needs them any more. */
  async rotateKeys(): Promise<{
    readonly kid: string;
    readonly rows: number;
    readonly left: number;
  }> {
    const { keys, store } = this.options;
    const kid = await keys.rotate();
    let rows = 0;
    for (const row of await store.list()) {
      // A row that was written meanwhile has the new key already.
      if (await this.rewrap(row)) rows++;
    }
    const others = (await store.list()).filter(({ sealed }) => sealed && sealed.key.kid !== kid);
    if (others.length === 0) await keys.forgetOthers();
    return { kid, rows, left: others.length };
  }

  private async rewrap({ id, version, sealed, ...place }: VaultRow): Promise<boolean> {
    const { keys, store } = this.options;
    if (sealed === undefined) return false;
    const context = contextOf(place, version);
    try {
      const plain = await keys.unwrap(sealed.key, context);
      return await store.rewrap(id, version, await keys.wrap(plain, context));
    } catch (error) {
      // A damaged row stays as it is: evidence, and refused as before.
      if (error instanceof KeyRefused) return false;
      throw error;
    }
  }

  private async seal(place: Place, version: number, content: VaultContent) {
    const context = contextOf(place, version);
    const key = randomBytes(32);
    const data = encrypt(key, Buffer.from(JSON.stringify(content)), context);
    return { key: await this.options.keys.wrap(key, context), data };
  }

  private async unseal(row: VaultRow, sealed: { key: WrappedKey; data: Buffer }) {
    const context = contextOf(row, row.version);
    try {
      const key = await this.options.keys.unwrap(sealed.key, context);
      const plain = decrypt(key, sealed.data, context);
      if (plain !== undefined) return JSON.parse(plain.toString("utf8")) as VaultContent;
    } catch (error) {
      if (!(error instanceof KeyRefused)) throw error;
      throw new VaultDamaged(error.message, { cause: error });
    }
    throw new VaultDamaged("the row does not open: it was changed");
  }
}

function isAt(row: Place, place: Place): boolean {
  return (
    row.tenant === place.tenant &&
    row.issuer === place.issuer &&
    row.subject === place.subject &&
    row.connector === place.connector
  );
}

function contextOf(place: Place, version: number): Buffer {
  return Buffer.from(digestOf("vault-row-v1", idOf(place), String(version)));
}
