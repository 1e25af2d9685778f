// What of a call's input and result enters the ledger, decided before the record exists: `plain`
// readable, `sealed` under the person's key, `drop` nothing (DESIGN section 5).
import { createHmac, createSecretKey, hkdfSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { Input } from "../catalog/definition.ts";
import type { Projection } from "../contract/projection.ts";
import { framed } from "../kernel/ids.ts";
import { pointerTo } from "../kernel/json.ts";
import type { Principal } from "../kernel/principal.ts";
import { Bounded } from "./bounded.ts";
import type { Keyring, SubjectKey, Who } from "./keyring.ts";
import { isSealed, isTruncated, openSealed, sealJson } from "./seal.ts";
import type { Sealed, Truncated } from "./seal.ts";
import { keepArgs, keepFields, keepValue, MARKER_BYTES, nameBytes } from "./weigh.ts";
import { keptText, sum, textOf, valueOf } from "./weigh.ts";
import type { Entry, Group, Kept } from "./weigh.ts";

const ARGS_BYTES_MAX = 16_384;
const RESULT_BYTES_MAX = 16_384;
const TENANTS_REMEMBERED_MAX = 1000;

interface SealedName {
  readonly name: string;
  readonly value: Sealed | Truncated;
}

/** Seals under a person's key. Equal text has equal digests inside one tenant, and only there. */
export class Sealer {
  private readonly keyring: Keyring;
  private readonly digest_key: KeyObject;
  private readonly tenants = new Bounded<KeyObject>(TENANTS_REMEMBERED_MAX);
  private readonly names = new WeakMap<SubjectKey, SealedName>();

  constructor(keyring: Keyring, digest_key: Buffer) {
    this.keyring = keyring;
    this.digest_key = createSecretKey(digest_key);
  }

  /** What a sealed field with this text carries: the answer of `audit hash`. */
  digestOf(tenant: string | null, value: unknown): string {
    return hmacOf(this.tenantKey(tenant), textOf(value));
  }

  private tenantKey(tenant: string | null): KeyObject {
    const place = tenant === null ? "-" : `+${tenant}`;
    const known = this.tenants.get(place);
    if (known !== undefined) return known;
    const key = derived(this.digest_key, framed("ledger-digest-v1", tenant));
    this.tenants.set(place, key);
    return key;
  }

  /** Seals the field at `path`, a pointer into the record; over its cap, its size and digest. */
  seal(who: Who, path: string, value: unknown): Sealed | Truncated {
    return this.written(keepValue("sealed", value) ?? SEALED_NULL, path, who) as Sealed | Truncated;
  }

  /** All of a value, however long, as text that `reveal` opens; for what is not the ledger's. */
  sealWhole(who: Who, path: string, value: unknown): string {
    return sealJson(this.keyring.keyFor(who), path, JSON.stringify(value));
  }

  /**
   * The person's readable name, at `/user`. Names can be guessed, and the tenant's digest would
   * prove a guess right for ever: this digest's key goes with the person's.
   */
  sealName(
    principal: Pick<Principal, "tenant" | "issuer" | "subject" | "name">,
  ): SealedName["value"] {
    const { tenant = null, issuer, subject, name } = principal;
    const key = this.keyring.keyFor({ tenant, issuer, subject });
    const known = this.names.get(key);
    if (known?.name === name) return known.value;
    const digest = hmacOf(derived(key.key, framed("ledger-name-v1")), name);
    const cut = keepValue("sealed", name)?.kind === "long";
    const value: SealedName["value"] = Object.freeze(
      cut
        ? { truncated: true as const, bytes: Buffer.byteLength(name), digest }
        : { sealed: sealJson(key, "/user", JSON.stringify(name)), digest, chars: name.length },
    );
    this.names.set(key, { name, value });
    return value;
  }

  /** What was sealed at `path`. Throws `KeyErased`, `KeyUnknown` or `SealBroken`. */
  reveal({ sealed }: Pick<Sealed, "sealed">, path: string): unknown {
    return openSealed(this.keyring, sealed, path);
  }

  /** The arguments as the ledger keeps them. */
  args(
    inputs: ReadonlyMap<string, Input>,
    args: Readonly<Record<string, unknown>>,
    who: Who,
  ): Record<string, unknown> {
    return this.capped(keepArgs(inputs, args), ARGS_BYTES_MAX, "/args", who);
  }

  /** The projected result as the ledger keeps it. */
  result(
    projection: Projection,
    value: Readonly<Record<string, unknown>>,
    who: Who,
  ): Record<string, unknown> {
    return this.capped(keepFields(projection, value), RESULT_BYTES_MAX, "/result", who);
  }

  // The smallest fields stay, since ids and states are what people look for; of the others their
  // sizes and digests. Decided by weight alone, so that no more is sealed than is kept.
  private capped(all: Group, bytes_max: number, path: string, who: Who): Record<string, unknown> {
    const marked = ([name, { bytes }]: Entry): number =>
      nameBytes(name) + Math.min(bytes, MARKER_BYTES);
    let room = bytes_max - 2 - sum(all.entries.map(marked));
    if (room < 0) return { ...this.marker(all, who) };
    const cut = new Set<Kept>();
    if (all.bytes > bytes_max) {
      for (const [, kept] of all.entries.toSorted(([, a], [, b]) => a.bytes - b.bytes)) {
        const more = Math.max(0, kept.bytes - MARKER_BYTES);
        if (more <= room) room -= more;
        else cut.add(kept);
      }
    }
    const out: Record<string, unknown> = {};
    for (const [name, kept] of all.entries) {
      out[name] = cut.has(kept)
        ? this.marker(kept, who)
        : this.written(kept, pointerTo(path, name), who);
    }
    return forged(out) ? { ...this.marker(all, who) } : out;
  }

  private written(kept: Kept, path: string, who: Who): unknown {
    switch (kept.kind) {
      case "plain":
        return kept.value;
      case "long":
        return this.marker(kept, who);
      case "sealed":
        return this.sealed(kept.value, path, who);
      case "list":
        return kept.items.map((item, i) => this.written(item, `${path}/${i}`, who));
      case "group": {
        const out: Record<string, unknown> = {};
        for (const [name, inner] of kept.entries) {
          out[name] = this.written(inner, pointerTo(path, name), who);
        }
        return forged(out) ? this.sealed(valueOf(kept), path, who) : out;
      }
    }
  }

  private sealed(value: unknown, path: string, who: Who): Sealed {
    const json = JSON.stringify(value);
    return {
      sealed: sealJson(this.keyring.keyFor(who), path, json),
      digest: this.digestOf(who.tenant, value),
      chars: typeof value === "string" ? value.length : json.length,
    };
  }

  private marker(kept: Kept, { tenant }: Who): Truncated {
    const text = keptText(kept);
    const digest = hmacOf(this.tenantKey(tenant), text);
    return { truncated: true, bytes: Buffer.byteLength(text), digest };
  }
}

const SEALED_NULL: Kept = { kind: "sealed", value: null, bytes: 0 };

// Readable fields that together pass for something that we sealed or cut.
const forged = (out: unknown): boolean => isSealed(out) || isTruncated(out);

function derived(key: KeyObject, info: Buffer): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync("sha256", key, "", info, 32)));
}

function hmacOf(key: KeyObject, text: string): string {
  return `hmac-sha256:${createHmac("sha256", key).update(text).digest("base64url")}`;
}
