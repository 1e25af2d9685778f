// What the audit verbs share: the filter's options, and asking a running doorless or its files.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { auditFilterSchema, REASON_CHARS } from "../console/audit-desk.ts";
import { systemClock } from "../kernel/clock.ts";
import { OUTCOMES } from "../kernel/error-row.ts";
import { issueInWords } from "../kernel/in-words.ts";
import { openSqliteKeyring } from "../ledger/keyring-sqlite.ts";
import { readLedger } from "../ledger/ledger.ts";
import { Sealer } from "../ledger/mark.ts";
import { AmbiguousUser, BadCursor, noDigests, OPERATOR } from "../ledger/query.ts";
import { plainNames, withDigests } from "../ledger/query.ts";
import type { AuditFilter, AuditPage, DigestOf, NamesOf } from "../ledger/query.ts";
import { namesFrom } from "../ledger/reveal.ts";
import { openFolders, openKey } from "../store/folders.ts";
import { askCore } from "./core.ts";
import type { Place } from "./core.ts";
import { EXIT, Stop } from "./output.ts";
import { usageError, wholeOf } from "./verb.ts";
import type { Given, Verb } from "./verb.ts";

const text = { type: "string" } as const;

export const FILTER_OPTIONS = {
  user: text,
  tool: text,
  outcome: text,
  record: text,
  from: text,
  to: text,
  session: text,
  call: text,
  agent: text,
  limit: text,
  cursor: text,
} as const;

export const FILTER_HELP = [
  "--user U        a subject or a readable name (ISSUER#SUBJECT where two have it)",
  "--tool T        --agent A   --session S   --call ID",
  `--outcome O     one of: ${OUTCOMES.slice(0, 6).join(" ")}`,
  `                ${OUTCOMES.slice(6).join(" ")}`,
  "--record R      what was touched, such as deal:42",
  "--from T --to T a date or a time (RFC 3339); --to is exclusive, a date includes its day",
];

const { min, max } = REASON_CHARS;
export const REASON_HELP = `--reason R      why, in ${min} to ${max} characters; recorded`;

/** The filter as typed, checked. */
export function filterOf(verb: Verb, given: Given, limit_default: number): AuditFilter {
  const from = given.text("from");
  const to = given.text("to");
  const limit = given.text("limit");
  const filter: Record<string, unknown> = {
    ...(from === undefined ? {} : { from_ms: timeOf(verb, "--from", from, false) }),
    ...(to === undefined ? {} : { to_ms: timeOf(verb, "--to", to, true) }),
    limit: limit === undefined ? limit_default : wholeOf(verb, "--limit", limit, 1, 1000),
  };
  if (Number(filter["from_ms"]) >= Number(filter["to_ms"])) {
    throw usageError(verb, "--from is not before --to: nothing lies between them");
  }
  const named = { user: "user", tool: "tool", outcome: "outcome", record: "record" };
  const rest = { session: "session", call: "call_id", agent: "agent", cursor: "cursor" };
  for (const [option, field] of Object.entries({ ...named, ...rest })) {
    const value = given.text(option);
    if (value !== undefined) filter[field] = value;
  }
  const parsed = auditFilterSchema.safeParse(filter);
  if (parsed.success) return parsed.data;
  const wrong = parsed.error.issues.map((one) => `--${one.path.join(".")}: ${issueInWords(one)}`);
  throw usageError(verb, wrong.join("; "));
}

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/;
const DAY_MS = 86_400_000;

// A date alone is that day in UTC, whole: up to its end where it is the end.
function timeOf(verb: Verb, option: string, value: string, isEnd: boolean): number {
  const day_ms = Date.parse(`${value.slice(0, 10)}T00:00:00Z`);
  // Date.parse makes the 2nd of March of the 30th of February.
  const isDay =
    !Number.isNaN(day_ms) && new Date(day_ms).toISOString().startsWith(value.slice(0, 10));
  const ms = DATE.test(value) ? day_ms : TIME.test(value) ? Date.parse(value) : Number.NaN;
  if (!isDay || Number.isNaN(ms)) {
    throw usageError(verb, `${option} is a date (2026-03-14) or an RFC 3339 time with its offset`);
  }
  return DATE.test(value) && isEnd ? ms + DAY_MS : ms;
}

/** Asks the running doorless, or reads the files where none runs. `verb` is what gets recorded. */
export async function query(place: Place, verb: string, filter: AuditFilter): Promise<AuditPage> {
  try {
    return (await askCore(place, "/audit", { verb, filter })) as AuditPage;
  } catch (error) {
    const folder = join(place.data, "ledger");
    const stopped = error instanceof Stop && error.code === EXIT.unreachable;
    if (!stopped || !existsSync(folder)) throw error;
    return queryFiles(folder, filter);
  }
}

/** Asks for page after page. Resolves with up to where the whole is complete. */
export async function queryAll(
  place: Place,
  verb: string,
  filter: AuditFilter,
  take: (records: AuditPage["records"]) => void | Promise<void>,
): Promise<number> {
  let complete_to = Number.POSITIVE_INFINITY;
  for (let cursor = filter.cursor; ;) {
    const page = await query(place, verb, { ...filter, cursor });
    await take(page.records);
    complete_to = Math.min(complete_to, page.complete_to);
    if (page.cursor === undefined) return complete_to;
    ({ cursor } = page);
  }
}

async function queryFiles(folder: string, filter: AuditFilter): Promise<AuditPage> {
  const names = openNames(dirname(folder));
  const index = readLedger(folder, names.namesOf);
  try {
    const question = await withDigests(filter, OPERATOR, index, names.digestOf);
    return await index.query(question, OPERATOR);
  } catch (error) {
    if (error instanceof AmbiguousUser || error instanceof BadCursor) {
      throw new Stop(EXIT.usage, error.message);
    }
    throw error;
  } finally {
    await index.close();
    names.close();
  }
}

interface Names {
  readonly namesOf: NamesOf;
  readonly digestOf: DigestOf;
  readonly close: () => void;
}

// Of a copied log only the subjects can be read: the names' keys stay in the data folder.
function openNames(data: string): Names {
  if (!existsSync(join(data, "subjects.sqlite"))) {
    return { namesOf: plainNames, digestOf: noDigests, close: () => undefined };
  }
  const folders = openFolders(data);
  const keyring = openSqliteKeyring(folders, systemClock);
  const sealer = new Sealer(keyring, openKey(join(folders.keys, "ledger-digest.key")));
  return {
    namesOf: namesFrom(sealer),
    digestOf: (tenant, value) => sealer.digestOf(tenant, value),
    close: () => keyring.close(),
  };
}
