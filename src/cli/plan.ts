// `plan`: who gains and loses which tool under a changed configuration, before it is anybody's.
import { loadConfig } from "../config/load.ts";
import { readHouseOffline } from "../console/house.ts";
import type { House } from "../console/house.ts";
import { personNamed } from "../console/people.ts";
import { planOf } from "../policy/plan.ts";
import type { Plan, Planned } from "../policy/plan.ts";
import type { Warning } from "../policy/lint.ts";
import type { Who } from "../policy/who.ts";
import { query } from "./audit.ts";
import { CORE_HELP, CORE_OPTIONS, noConfig, placeOf } from "./core.ts";
import type { Place } from "./core.ts";
import { EXIT, note, paint, print, printJson, table } from "./output.ts";
import { wordsOf } from "./verb.ts";
import type { Verb } from "./verb.ts";

const DAYS = 30;
const DAY_MS = 86_400_000;
const PAGES_MAX = 200;

export const plan: Verb = {
  name: "plan",
  usage: "plan NEW_CONFIG [--ledger]",
  summary: "who gains and loses which tool under a changed configuration",
  help: [
    "NEW_CONFIG      the configuration as it would be",
    `--ledger        the people of the log's last ${DAYS} days, not those of the configuration`,
    "exit 1          somebody gains a tool that writes",
    ...CORE_HELP,
  ],
  options: { ...CORE_OPTIONS, ledger: { type: "boolean" } },
  async run(given) {
    const [file = ""] = wordsOf(plan, given, "NEW_CONFIG");
    const place = placeOf(given);
    if (place.config === undefined) throw noConfig();
    const before = await read(place.config);
    const after = await read(file);
    const people = given.flag("ledger") ? await fromLedger(place) : fromConfig(before, after);
    const answer = planOf(before.policy, after.policy, people);
    const warnings = after.policy.warnings();
    if (given.flag("json")) printJson({ ...answer, warnings });
    else show(answer, warnings);
    return answer.gains_writes ? EXIT.no : EXIT.ok;
  },
};

function read(file: string): Promise<House> {
  return readHouseOffline(loadConfig(file, process.env, { secrets: false }));
}

// Whoever is listed on one side alone is taken as he is listed there.
function fromConfig(before: House, after: House): Planned[] {
  const names = new Set([before, after].flatMap(({ config }) => Object.keys(config.people)));
  return [...names].map((label) => {
    const sides = [before, after].map(({ config }) =>
      Object.hasOwn(config.people, label) ? personNamed(config, label) : undefined,
    );
    const [old, next] = sides;
    const [one, other] = [old ?? next, next ?? old];
    if (one === undefined || other === undefined) throw new Error("a person on no side");
    return { label, before: one, after: other };
  });
}

/** Everybody who called something lately, with the roles of her latest call. */
async function fromLedger(place: Place): Promise<Planned[]> {
  const seen = new Map<string, Planned>();
  const from_ms = Date.now() - DAYS * DAY_MS;
  let cursor: string | undefined;
  for (let page = 0; page < PAGES_MAX; page++) {
    const filter = { from_ms, limit: 1000, ...(cursor === undefined ? {} : { cursor }) };
    const answer = await query(place, "plan", filter);
    for (const { subject, issuer, tenant, roles, user } of answer.records) {
      const key = JSON.stringify([issuer, subject]);
      const who: Who = { roles, scopes: "any", subject, tenant: tenant ?? undefined, issuer };
      if (!seen.has(key)) seen.set(key, { label: user, before: who, after: who });
    }
    if (answer.cursor === undefined) return [...seen.values()];
    ({ cursor } = answer);
  }
  note(`only the latest ${PAGES_MAX * 1000} calls were looked at`);
  return [...seen.values()];
}

function show({ changes, people }: Plan, warnings: readonly Warning[]): void {
  const rows = changes.flatMap(({ person, agent, gained, lost, changed }) => [
    ...gained.map((one) => [
      paint("green", "gains"),
      person,
      agent,
      one.tool,
      one.effect,
      one.rule,
    ]),
    ...lost.map((one) => [paint("red", "loses"), person, agent, one.tool, one.effect, one.rule]),
    ...changed.map((one) => ["rules change", person, agent, one.tool, one.effect, one.rule]),
  ]);
  if (rows.length === 0) print(`nobody of ${people} gains or loses a tool`);
  else print(table(["CHANGE", "PERSON", "AGENT", "TOOL", "EFFECT", "RULE"], rows));
  for (const { place, fault, message } of warnings) note(`${place} ${fault}: ${message}`);
}
