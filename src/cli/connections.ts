// `connections ls`, `connections revoke`: people's stored links to downstream APIs.
import type { Disconnected, LinkView } from "../delegation/connections.ts";
import { askCore, CORE_HELP, CORE_OPTIONS, placeOf } from "./core.ts";
import { EXIT, note, print, printJson, table } from "./output.ts";
import { JSON_LINES, wordsOf } from "./verb.ts";
import type { Verb } from "./verb.ts";

export const connectionsLs: Verb = {
  name: "connections ls",
  usage: "connections ls",
  summary: "people's stored links to downstream APIs",
  help: CORE_HELP,
  json: JSON_LINES,
  options: CORE_OPTIONS,
  async run(given) {
    wordsOf(connectionsLs, given);
    const links = (await askCore(placeOf(given), "/connections", {})) as LinkView[];
    if (given.flag("json")) for (const link of links) printJson(link);
    else if (links.length === 0) note("nobody has a link to a downstream API");
    else print(table(["USER", "TENANT", "CONNECTOR", "STATE", "SINCE", "ACCOUNT"], links.map(row)));
    return EXIT.ok;
  },
};

function row({ subject, tenant, connector, state, changed_ms, account }: LinkView): string[] {
  const since = new Date(changed_ms).toISOString();
  return [subject, tenant ?? "-", connector, state.replace("_", " "), since, account ?? ""];
}

export const connectionsRevoke: Verb = {
  name: "connections revoke",
  usage: "connections revoke USER [CONNECTOR]",
  summary: "take a person's links away, here and at the API's authorization server",
  help: ["USER is a subject, or ISSUER#SUBJECT; without CONNECTOR, all her links", ...CORE_HELP],
  json: JSON_LINES,
  options: CORE_OPTIONS,
  async run(given) {
    const [user, connector] = wordsOf(connectionsRevoke, given, "USER", "CONNECTOR?");
    const asked = { user, ...(connector === undefined ? {} : { connector }) };
    const done = (await askCore(placeOf(given), "/connections/revoke", asked)) as Revoked[];
    for (const one of done) {
      if (given.flag("json")) printJson(one);
      else
        print(`${one.subject}: ${one.connector} disconnected; ${UPSTREAM[one.revoked_upstream]}`);
    }
    const told = done.every(({ revoked_upstream }) => revoked_upstream !== "failed");
    if (!told) note("not every server could be told: take the permission away there by hand");
    return told ? EXIT.ok : EXIT.no;
  },
};

interface Revoked extends Disconnected {
  readonly subject: string;
  readonly connector: string;
}

const UPSTREAM: Readonly<Record<Disconnected["revoked_upstream"], string>> = {
  yes: "revoked at its server, too",
  no_way: "its server offers no revocation",
  failed: "its server could NOT be told",
  nothing_to_revoke: "nothing to revoke upstream",
};
