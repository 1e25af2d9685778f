// What operators ask of the ledger: read it, look behind a seal, erase a person, rotate its key.
// Each question is an event, durable before it is answered; reading the log is one too.
import { z } from "zod";
import { OUTCOMES } from "../kernel/error-row.ts";
import type { Keyring } from "../ledger/keyring.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Sealer } from "../ledger/mark.ts";
import { askedOf, OPERATOR } from "../ledger/query.ts";
import type { Identity } from "../ledger/query.ts";
import { revealRecord, revealToolLog } from "../ledger/reveal.ts";
import type { House } from "./house.ts";
import { NotThere } from "./people.ts";

export const auditFilterSchema = z.strictObject({
  user: z.string().min(1).optional(),
  tool: z.string().min(1).optional(),
  outcome: z.enum(OUTCOMES).optional(),
  record: z.string().min(1).optional(),
  from_ms: z.int().optional(),
  to_ms: z.int().optional(),
  session: z.string().min(1).optional(),
  call_id: z.string().min(1).optional(),
  agent: z.string().min(1).optional(),
  limit: z.int().min(1).max(1000),
  cursor: z.string().min(1).optional(),
});

const asked = { os_user: z.string().max(100) };
/** Why somebody looks behind a seal, erases or holds: a word or two at least. */
export const REASON_CHARS = { min: 3, max: 500 } as const;
const reason = z.string().trim().min(REASON_CHARS.min).max(REASON_CHARS.max);

/** Records what an operator does; the provider vouches for no operating-system user. */
export async function note(
  ledger: Ledger,
  verb: string,
  os_user: string,
  detail: Readonly<Record<string, unknown>>,
): Promise<void> {
  await ledger.event("operator", { verb, os_user, verified_by_issuer: false, ...detail });
}

/** The same of what holds already: as soon as there is room for it. Whether it is recorded now. */
export function noteSoon(
  ledger: Ledger,
  verb: string,
  os_user: string,
  detail: Readonly<Record<string, unknown>>,
): Promise<boolean> {
  return ledger.eventually("operator", { verb, os_user, verified_by_issuer: false, ...detail });
}

export interface AuditDeskOptions {
  readonly house: () => House;
  readonly ledger: Ledger;
  readonly sealer: Sealer;
  readonly keyring: Keyring;
}

const schemas = {
  query: z.strictObject({
    ...asked,
    verb: z.string().max(40).default("audit query"),
    filter: auditFilterSchema,
  }),
  reveal: z.strictObject({ ...asked, call_id: z.string().min(1), reason }),
  hash: z.strictObject({
    ...asked,
    tenant: z.string().min(1).max(255).optional(),
    value: z.string(),
  }),
  plain: z.strictObject(asked),
  erase: z.strictObject({ ...asked, subject: z.string().min(1), reason }),
  hold: z.strictObject({
    ...asked,
    subject: z.string().min(1),
    reason,
    release: z.boolean().default(false),
  }),
};

/** A tool's name in a question, as the log may hold it: of one that there is none of its digest. */
export function toolAsked(
  { house, sealer }: Pick<AuditDeskOptions, "house" | "sealer">,
  tool: string,
): string {
  return house().catalog.tools.has(tool) ? tool : sealer.digestOf(null, tool);
}

class UnderHold extends Error {
  override readonly name = "UnderHold";
}

/** What became of a hold, as the operator is told. */
const HOLD_NOW = {
  held: "placed",
  already_held: "already there",
  released: "released",
  unknown: "there was none",
} as const;

async function called(ledger: Ledger, subject: string): Promise<readonly Identity[]> {
  const identities = await ledger.identities(subject);
  if (identities.length > 0) return identities;
  throw new NotThere(`nobody is called ${JSON.stringify(subject)} in the log`);
}

/** The questions, by their path on the local socket. */
export function createAuditDesk(desk: AuditDeskOptions) {
  const { ledger, sealer, keyring } = desk;
  return {
    async "/audit"(body: unknown) {
      const { verb, filter, os_user } = schemas.query.parse(body);
      const digest = (text: string): string => sealer.digestOf(null, text);
      const what = askedOf(filter, digest, (tool) => toolAsked(desk, tool));
      await note(ledger, verb, os_user, { filter: what });
      return ledger.query(filter, OPERATOR);
    },
    async "/audit/reveal"(body: unknown): Promise<{ record: object | null }> {
      const { call_id, reason: why, os_user } = schemas.reveal.parse(body);
      await note(ledger, "audit show --reveal", os_user, { call_id, reason: why });
      const [record] = (await ledger.query({ call_id, limit: 1 }, OPERATOR)).records;
      if (record === undefined) return { record: null };
      const lines = revealToolLog(await ledger.toolLog(call_id), sealer);
      const said = lines.length === 0 ? {} : { tool_log: lines };
      return { record: { ...revealRecord(record, sealer), ...said } };
    },
    async "/audit/hash"(body: unknown) {
      const { tenant, value, os_user } = schemas.hash.parse(body);
      await note(ledger, "audit hash", os_user, { tenant: tenant ?? null });
      return { digest: sealer.digestOf(tenant ?? null, value) };
    },
    async "/audit/reindex"(body: unknown) {
      const { os_user } = schemas.plain.parse(body);
      await note(ledger, "audit reindex", os_user, {});
      return { records: await ledger.reindex() };
    },
    async "/audit/erase"(body: unknown) {
      const { subject, reason: why, os_user } = schemas.erase.parse(body);
      const identities = await called(ledger, subject);
      const under_hold = identities.some((identity) => keyring.holdOn(identity) !== undefined);
      await note(ledger, "audit erase", os_user, { identities, reason: why, under_hold });
      if (under_hold) throw new UnderHold(`${subject} is under a legal hold`);
      const erased: object[] = [];
      for (const identity of identities) {
        const one = await eraseOne(identity, { ledger, keyring });
        await ledger.event("erased", { ...identity, key: one.key, reason: why });
        erased.push(one);
      }
      return { erased };
    },
    async "/audit/holds"(body: unknown) {
      const { os_user } = schemas.plain.parse(body);
      await note(ledger, "audit hold", os_user, {});
      return { holds: keyring.holds() };
    },
    async "/audit/hold"(body: unknown) {
      const { subject, reason: why, release, os_user } = schemas.hold.parse(body);
      const identities = await called(ledger, subject);
      await note(ledger, "audit hold", os_user, { identities, release, reason: why });
      const holds: object[] = [];
      for (const who of identities) holds.push(await holdOne(who, { release, why }, desk));
      return { holds };
    },
    async "/keys/rotate"(body: unknown) {
      const { os_user } = schemas.plain.parse(body);
      await note(ledger, "keys rotate", os_user, {});
      return { verifier: await ledger.rotateKey() };
    },
  };
}

type Books = Pick<AuditDeskOptions, "ledger" | "keyring">;

async function holdOne(
  who: Identity,
  { release, why }: { readonly release: boolean; readonly why: string },
  { ledger, keyring }: Books,
) {
  const done = release ? keyring.release(who) : keyring.hold(who, why);
  const what = HOLD_NOW[done];
  if (what === "placed" || what === "released") {
    await ledger.event("hold", { ...who, what, reason: why });
  }
  // Of one that was there before, it is the first reason that counts.
  return { ...who, what, reason: keyring.holdOn(who)?.reason ?? why };
}

async function eraseOne(identity: Identity, { ledger, keyring }: Books) {
  const erased_at = keyring.history(identity).at(-1)?.erased_at;
  const key = keyring.erase(identity);
  // Also the second time: the first may have ended before this.
  await ledger.forget(identity);
  return { ...identity, key, ...(erased_at === undefined ? {} : { erased_at }) };
}
