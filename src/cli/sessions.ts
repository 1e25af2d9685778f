// `sessions ls|kill`: who is at it, and ending one session for good.
import { askCore, CORE_HELP, CORE_OPTIONS, placeOf } from "./core.ts";
import { noteOwed } from "./lock.ts";
import type { Owed } from "./lock.ts";
import { EXIT, note, print, printJson, table } from "./output.ts";
import { JSON_LINES, wordsOf } from "./verb.ts";
import type { Verb } from "./verb.ts";

interface Listed {
  readonly id: string;
  readonly name: string;
  readonly subject: string;
  readonly agent: string;
  readonly client_id: string;
  readonly seen: string;
  readonly calls: number;
  readonly streams: number;
}

export const sessionsLs: Verb = {
  name: "sessions ls",
  usage: "sessions ls",
  summary: "sessions since the start, newest first",
  help: [
    "CALLS NOW       its calls under way; STREAMS NOW: its open streams; SEEN: its latest request",
    ...CORE_HELP,
  ],
  json: JSON_LINES,
  options: CORE_OPTIONS,
  async run(given) {
    wordsOf(sessionsLs, given);
    const answer = await askCore(placeOf(given), "/sessions", {});
    const { sessions } = answer as { sessions: Listed[] };
    if (given.flag("json")) sessions.forEach(printJson);
    else if (sessions.length === 0) note("no sessions since the start");
    else {
      const rows = sessions.map((s) => [
        s.id,
        s.name,
        s.agent,
        s.seen,
        String(s.calls),
        String(s.streams),
        s.client_id,
      ]);
      print(
        table(["SESSION", "USER", "AGENT", "SEEN", "CALLS NOW", "STREAMS NOW", "CLIENT"], rows),
      );
    }
    return EXIT.ok;
  },
};

export const sessionsKill: Verb = {
  name: "sessions kill",
  usage: "sessions kill ID",
  summary: "end a session: its sign-in is not accepted again, its user must sign in anew",
  help: CORE_HELP,
  options: CORE_OPTIONS,
  async run(given) {
    const [session] = wordsOf(sessionsKill, given, "ID");
    const answer = await askCore(placeOf(given), "/sessions/kill", { session });
    const { killed, seen, ...owed } = answer as { killed: string; seen: boolean } & Owed;
    if (given.flag("json")) printJson(answer);
    else print(`ended ${killed}`);
    noteOwed(owed);
    if (!seen) note("it has not been seen since the start; it is ended all the same");
    return EXIT.ok;
  },
};
