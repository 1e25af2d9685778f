// Writes for tests of what is kept for them: a clock, a store in a folder of its own, a sealer.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { limitsSchema } from "../../../src/config/limits.ts";
import type { LimitsConfig } from "../../../src/config/limits.ts";
import { openSqliteAnswerStore } from "../../../src/gate/answer-store-sqlite.ts";
import { Resends } from "../../../src/gate/resends.ts";
import type { Ended, Recalled, Sent } from "../../../src/gate/resends.ts";
import { openSqliteKeyring } from "../../../src/ledger/keyring-sqlite.ts";
import type { Keyring } from "../../../src/ledger/keyring.ts";
import { Sealer } from "../../../src/ledger/mark.ts";
import { createLogger } from "../../../src/telemetry/log.ts";
import { testClock } from "../ledger/entries.ts";

const WHO = { tenant: "acme", issuer: "https://login.test", subject: "ada" };
export const DONE: Ended = { result: { id: 7, name: "a lamp" } };

export interface Stand {
  readonly resends: Resends;
  readonly clock: ReturnType<typeof testClock>;
  readonly keyring: Keyring;
  readonly file: string;
  /** On the same files, as a start does it. */
  readonly again: (recalled: readonly Recalled[], between?: () => void) => Resends;
}

export function stand(changes: Partial<LimitsConfig> = {}): Stand {
  const folder = mkdtempSync(join(tmpdir(), "doorless-resends-"));
  const clock = testClock();
  const keyring = openSqliteKeyring({ data: folder, keys: join(folder, "keys") }, clock);
  const sealer = new Sealer(keyring, Buffer.alloc(32, 7));
  const limits = { ...limitsSchema.parse({ result_tokens_max: 1000 }), ...changes };
  const log = createLogger("error", { write: () => undefined });
  const file = join(folder, "answers.sqlite");
  const open = (): Resends =>
    new Resends({ clock, log, limits, sealer, store: openSqliteAnswerStore(file) });
  let resends = open();
  onTestFinished(() => {
    resends.close();
    keyring.close();
    rmSync(folder, { recursive: true });
  });
  return {
    resends,
    clock,
    keyring,
    file,
    again(calls, between) {
      resends.close();
      between?.();
      resends = open();
      resends.recall(calls);
      return resends;
    },
  };
}

let made = 0;

/** A write of Ada's with this key, or with none; each is another call. */
export function sent(key: string | null, changes: Partial<Sent> & { session?: string } = {}): Sent {
  made++;
  const { session = "ses_1", ...rest } = changes;
  const { issuer, subject } = rest.who ?? WHO;
  const whose = { issuer, subject, family: "family-1", session, agent: "desk" };
  const marks = { key, args: "args-1" };
  const about = { tool: "item_put", tool_hash: "sha256:1", marks, who: WHO, whose };
  return { call_id: `call-${made}`, ...about, ...rest };
}

/** How long ago a first call ended, as the ledger recalls it. */
export function recalled(one: Sent, age_ms: number, cut_off = false): Recalled {
  return { ...one, age_ms, cut_off, effect: cut_off ? "unknown" : "done" };
}
