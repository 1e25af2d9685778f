// INTERFACE's tables of the demo world, written out by hand: what each session must have.
import { globSync } from "node:fs";
import { basename } from "node:path";
import { ROOT } from "./clients.ts";

export const PEOPLE = ["dana", "mia", "omar", "zoe", "ines", "alex", "olga"] as const;
export const AGENTS = ["support", "sales", "research"] as const;
export type Person = (typeof PEOPLE)[number];
export type Agent = (typeof AGENTS)[number];

const SUPPORT = [
  "billing_get_invoice",
  "billing_refund",
  "crm_get_customer",
  "crm_search_customers",
  "tickets_close",
  "tickets_reply",
  "tickets_search",
];
const SALES = [
  "crm_get_customer",
  "crm_get_deal",
  "crm_pipeline_summary",
  "crm_search_deals",
  "crm_update_deal_stage",
  "mail_send",
];
const RESEARCH = ["analytics_query", "crm_get_customer", "crm_search_deals", "run_code"];

const SURFACES: Readonly<Record<string, readonly string[]>> = {
  "dana support": SUPPORT,
  "zoe support": SUPPORT,
  "mia sales": SALES,
  "mia research": ["crm_get_customer", "crm_search_deals"],
  "omar sales": SALES,
  "omar research": RESEARCH,
};

export interface Pair {
  readonly person: Person;
  readonly agent: Agent;
}

/** Sorted by name; empty where the tables give nothing. */
export function surfaceOf({ person, agent }: Pair): readonly string[] {
  return SURFACES[`${person} ${agent}`] ?? [];
}

export const PAIRS: readonly Pair[] = PEOPLE.flatMap((person) =>
  AGENTS.map((agent) => ({ person, agent })),
);
/** Everyone who has a door, and one who has none. */
export const PAIRS_TO_SHOW: readonly Pair[] = PAIRS.filter(
  (pair) => surfaceOf(pair).length > 0 || (pair.person === "dana" && pair.agent === "sales"),
);

export const READ_ONLY: readonly string[] = [
  "analytics_query",
  "billing_get_invoice",
  "crm_get_customer",
  "crm_get_deal",
  "crm_pipeline_summary",
  "crm_search_customers",
  "crm_search_deals",
  "run_code",
  "tickets_search",
];

/** Every tool that the deployment ships, whoever has it; `run_code` is built in. */
export const CATALOGUE: readonly string[] = globSync("tools/*/*.tool.{yaml,ts}", { cwd: ROOT })
  .map((path) => basename(path).replace(/\.tool\.(?:yaml|ts)$/, ""))
  .concat("run_code")
  .toSorted();
