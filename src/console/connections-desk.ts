// What operators ask of people's links: who has which, and take one away.
import { z } from "zod";
import type { Connections } from "../delegation/connections.ts";
import type { LinkView } from "../delegation/connections.ts";
import type { Vault } from "../delegation/vault.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { note } from "./audit-desk.ts";
import { BadQuestion, NotThere } from "./people.ts";

const os_user = z.string().max(100);
const schemas = {
  list: z.strictObject({ os_user }),
  revoke: z.strictObject({
    os_user,
    user: z.string().min(1),
    connector: z.string().min(1).optional(),
  }),
};

export interface ConnectionsDeskOptions {
  readonly ledger: Ledger;
  readonly connections: Connections;
  readonly vault: Vault;
}

/** The questions, by their path on the local socket. */
export function createConnectionsDesk({ ledger, connections, vault }: ConnectionsDeskOptions) {
  return {
    async "/connections"(body: unknown) {
      const asked = schemas.list.parse(body);
      await note(ledger, "connections ls", asked.os_user, {});
      return connections.list();
    },
    async "/connections/revoke"(body: unknown) {
      const { user, connector, ...asked } = schemas.revoke.parse(body);
      const links = chosen(await connections.list(), user, connector);
      await note(ledger, "connections revoke", asked.os_user, {
        user,
        connector: connector ?? null,
      });
      const done = [];
      for (const { tenant, issuer, subject, connector: api } of links) {
        const place = { tenant, issuer, subject, connector: api };
        done.push({ ...place, ...(await connections.disconnect(place, "an operator")) });
      }
      return done;
    },
    async "/keys/rotate-vault"(body: unknown) {
      const asked = schemas.list.parse(body);
      await note(ledger, "keys rotate --vault", asked.os_user, {});
      return vault.rotateKeys();
    },
  };
}

function chosen(links: readonly LinkView[], user: string, connector: string | undefined) {
  const mine = links.filter(
    (link) =>
      (link.subject === user || `${link.issuer}#${link.subject}` === user) &&
      (connector === undefined || link.connector === connector) &&
      link.state !== "disconnected",
  );
  if (mine.length === 0) {
    const at = connector === undefined ? "" : ` to ${connector}`;
    throw new NotThere(`${user} has no link${at}; see \`doorless connections ls\``);
  }
  const people = new Set(mine.map(({ issuer, subject }) => `${issuer}#${subject}`));
  if (people.size === 1) return mine;
  throw new BadQuestion(`${user} fits ${people.size} people: ${[...people].join(", ")}`);
}
