// What of a call's input and result enters the ledger, decided before the record exists:
// `plain` readable, `sealed` a keyed digest, `drop` nothing (DESIGN section 5).
import { createHmac } from "node:crypto";
import type { Input } from "../catalog/definition.ts";
import { mismatches } from "../contract/schema.ts";
import type { Field, LedgerMark, Projection } from "../contract/projection.ts";

const FIELD_CHARS_MAX = 2048;
const ARGS_BYTES_MAX = 16_384;
const RESULT_BYTES_MAX = 16_384;
const UNKNOWN_NAMES_MAX = 16;

/** Seals under a key and a tenant: equal text in one tenant has equal digests, and only there. */
export class Sealer {
  private readonly key: Buffer;
  constructor(key: Buffer) {
    this.key = key;
  }

  digest(tenant: string | null, value: unknown): string {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    const hmac = createHmac("sha256", this.key).update(`${tenant ?? ""}\0${text}`);
    return `hmac-sha256:${hmac.digest("base64url")}`;
  }

  seal(tenant: string | null, value: unknown): Record<string, unknown> {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return { sealed: this.digest(tenant, value), chars: text.length };
  }

  /** The arguments as the ledger keeps them. Names that the tool does not have are counted. */
  args(
    inputs: ReadonlyMap<string, Input>,
    args: Readonly<Record<string, unknown>>,
    tenant: string | null,
  ): Record<string, unknown> {
    const out: Record<string, unknown> = {};
    let unknown = 0;
    for (const [name, value] of Object.entries(args)) {
      const input = inputs.get(name);
      if (input === undefined) unknown++;
      // A readable field that does not fit its schema could hold anything: it is sealed.
      else if (mismatches(input.schema, value).length > 0) out[name] = this.seal(tenant, value);
      else this.put(out, name, input.ledger, value, tenant);
    }
    if (unknown > 0) out["(unknown arguments)"] = Math.min(unknown, UNKNOWN_NAMES_MAX);
    return this.capped(out, ARGS_BYTES_MAX, tenant);
  }

  /** The projected result as the ledger keeps it. */
  result(
    projection: Projection,
    value: Readonly<Record<string, unknown>>,
    tenant: string | null,
  ): Record<string, unknown> {
    return this.capped(this.fields(projection, value, tenant), RESULT_BYTES_MAX, tenant);
  }

  private fields(
    projection: Projection,
    value: Readonly<Record<string, unknown>>,
    tenant: string | null,
  ): Record<string, unknown> {
    const out: Record<string, unknown> = {};
    for (const [name, field] of projection) {
      if (Object.hasOwn(value, name)) this.field(out, name, field, value[name], tenant);
    }
    return out;
  }

  private field(
    out: Record<string, unknown>,
    name: string,
    field: Field,
    value: unknown,
    tenant: string | null,
  ): void {
    switch (field.kind) {
      case "value":
        return this.put(out, name, field.ledger, value, tenant);
      case "object":
        out[name] = this.fields(field.fields, value as Record<string, unknown>, tenant);
        return;
      case "list":
        out[name] = (value as Record<string, unknown>[]).map((item) =>
          this.fields(field.items, item, tenant),
        );
    }
  }

  private put(
    out: Record<string, unknown>,
    name: string,
    mark: LedgerMark,
    value: unknown,
    tenant: string | null,
  ): void {
    if (mark === "drop") return;
    const long = typeof value === "string" && value.length > FIELD_CHARS_MAX;
    out[name] = mark === "sealed" || long ? this.seal(tenant, value) : value;
  }

  private capped(
    value: Record<string, unknown>,
    bytes_max: number,
    tenant: string | null,
  ): Record<string, unknown> {
    const bytes = Buffer.byteLength(JSON.stringify(value));
    if (bytes <= bytes_max) return value;
    return { truncated: true, bytes, digest: this.digest(tenant, value) };
  }
}
