// How the running doorless is, in a few numbers, for `doctor`.
import { z } from "zod";
import type { Connections } from "../delegation/connections.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Sessions } from "../session/sessions.ts";
import type { Stops } from "../session/stops.ts";
import { note } from "./audit-desk.ts";
import type { House } from "./house.ts";

const schema = z.strictObject({ os_user: z.string().max(100) });

export interface CoreState {
  readonly version: string;
  /** False while the ledger takes nothing, and so every call is refused. */
  readonly ready: boolean;
  /** The fingerprint of the configuration in force. */
  readonly policy: string;
  readonly sessions: number;
  readonly calls: number;
  readonly locks: number;
  readonly links_damaged: number;
}

export interface StateDeskOptions {
  readonly house: () => House;
  readonly ledger: Ledger;
  readonly sessions: Sessions;
  readonly stops: Stops;
  readonly connections: Connections;
  readonly version: string;
}

/** The question, by its path on the local socket. */
export function createStateDesk(options: StateDeskOptions) {
  const { house, ledger, sessions, stops, connections, version } = options;
  return {
    async "/state"(body: unknown): Promise<CoreState> {
      const { os_user } = schema.parse(body);
      const ready = ledger.healthy;
      // One that takes no records must still be able to say so.
      if (ready) await note(ledger, "doctor", os_user, {});
      const links = await connections.list();
      return {
        version,
        ready,
        policy: house().config.hash,
        sessions: sessions.list().length,
        calls: [...stops.underWay].filter(({ tool }) => tool !== undefined).length,
        locks: stops.locks().length,
        links_damaged: links.filter(({ state }) => state === "damaged").length,
      };
    },
  };
}
