// Locks and sessions of a running doorless, as the verbs ask for them.
import { askLocal } from "../../src/console/local.ts";
import type { Boundary } from "./boundary.ts";

export interface StopDesk {
  lock(what: string, reason?: string): Promise<void>;
  unlock(what: string): Promise<boolean>;
  kill(session: string): Promise<void>;
  sessions(): Promise<Record<string, unknown>[]>;
  locks(): Promise<{ lock: string; reason: string }[]>;
}

export function stopDesk({ data }: Pick<Boundary, "data">): StopDesk {
  const ask = async <T>(path: string, question: object = {}): Promise<T> =>
    (await askLocal(data, "core", path, { os_user: "a test", ...question })) as T;
  return {
    async lock(what, reason = "") {
      await ask("/locks/add", { what, reason });
    },
    unlock: async (what) => (await ask<{ removed: boolean }>("/locks/rm", { what })).removed,
    async kill(session) {
      await ask("/sessions/kill", { session });
    },
    async sessions() {
      return (await ask<{ sessions: Record<string, unknown>[] }>("/sessions")).sessions;
    },
    async locks() {
      return (await ask<{ locks: { lock: string; reason: string }[] }>("/locks")).locks;
    },
  };
}
