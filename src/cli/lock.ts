// `lock add|rm|ls`: an operator's immediate stop for a user, session, tool, agent or everything.
import { askCore, CORE_HELP, CORE_OPTIONS, placeOf } from "./core.ts";
import { EXIT, note, print, printJson, table } from "./output.ts";
import { JSON_LINES, wordsOf } from "./verb.ts";
import type { Verb } from "./verb.ts";

const WHAT = "user:U|session:S|tool:T|agent:A|all";
const WHAT_HELP = "user:U          a subject, a name, or ISSUER#SUBJECT";

/** What holds, and is not on the disk yet. */
export interface Owed {
  readonly durable: boolean;
  readonly recorded: boolean;
}

/** Says what a restart before there is room would undo. */
export function noteOwed({ durable, recorded }: Owed): void {
  if (!durable) {
    note("it holds now, and is not on the disk yet: a restart before there is room lifts it");
  }
  if (!recorded) note("it is not in the ledger yet: that is written as soon as it can be");
}

interface Shown {
  readonly lock: string;
  readonly reason: string;
  readonly by: string;
  readonly since: string;
}

export const lockAdd: Verb = {
  name: "lock add",
  usage: `lock add ${WHAT} [--reason R]`,
  summary: "stop a user, session, tool, agent or everything, at once",
  help: [
    WHAT_HELP,
    "--reason R      is recorded, and shown by `lock ls`; whoever is stopped is not told",
    ...CORE_HELP,
  ],
  options: { ...CORE_OPTIONS, reason: { type: "string" } },
  async run(given) {
    const [what] = wordsOf(lockAdd, given, WHAT);
    const question = { what, reason: given.text("reason") ?? "" };
    const { lock } = (await askCore(placeOf(given), "/locks/add", question)) as {
      lock: Shown & Owed;
    };
    if (given.flag("json")) printJson(lock);
    else print(`locked ${lock.lock}`);
    noteOwed(lock);
    return EXIT.ok;
  },
};

export const lockRm: Verb = {
  name: "lock rm",
  usage: `lock rm ${WHAT}`,
  summary: "lift a lock; exit 1 where there is none",
  help: [WHAT_HELP, ...CORE_HELP],
  options: CORE_OPTIONS,
  async run(given) {
    const [what] = wordsOf(lockRm, given, WHAT);
    const answer = await askCore(placeOf(given), "/locks/rm", { what });
    const { removed, lock } = answer as { removed: boolean; lock: string };
    if (given.flag("json")) printJson({ lock, removed });
    else if (removed) print(`unlocked ${lock}`);
    else note(`${lock} was not locked`);
    return removed ? EXIT.ok : EXIT.no;
  },
};

export const lockLs: Verb = {
  name: "lock ls",
  usage: "lock ls",
  summary: "the locks that hold",
  help: CORE_HELP,
  json: JSON_LINES,
  options: CORE_OPTIONS,
  async run(given) {
    wordsOf(lockLs, given);
    const { locks } = (await askCore(placeOf(given), "/locks", {})) as { locks: Shown[] };
    if (given.flag("json")) locks.forEach(printJson);
    else if (locks.length === 0) note("nothing is locked");
    else {
      const rows = locks.map(({ lock, since, by, reason }) => [lock, since, by, reason]);
      print(table(["LOCK", "SINCE", "BY", "REASON"], rows));
    }
    return EXIT.ok;
  },
};
