// `whoami`: who is signed in on this machine, and for which agents.
import { EXIT, print, printJson, Stop, table } from "./output.ts";
import { SignIns } from "./sign-ins.ts";
import { JSON_LINES, wordsOf } from "./verb.ts";
import type { Verb } from "./verb.ts";

export const whoami: Verb = {
  name: "whoami",
  usage: "whoami",
  summary: "who is signed in on this machine, and for which agents",
  help: ["exit code 3 where nobody is"],
  json: JSON_LINES,
  async run(given) {
    wordsOf(whoami, given);
    const signIns = new SignIns();
    const all = signIns.read();
    if (all.length === 0) throw new Stop(EXIT.sign_in, "nobody is signed in: run `doorless login`");
    const rows = all.map(({ issuer, subject, name, since_ms, resources }) => {
      const since = new Date(since_ms).toISOString();
      return {
        name: name ?? null,
        subject: subject ?? null,
        issuer,
        since,
        agents: Object.keys(resources),
      };
    });
    if (given.flag("json")) for (const row of rows) printJson(row);
    else {
      const cells = rows.map(({ name, subject, issuer, since, agents }) => {
        const who = name === null ? (subject ?? "?") : `${name} (${subject ?? "?"})`;
        return [who, issuer, since, agents.join(" ")];
      });
      print(table(["WHO", "PROVIDER", "SINCE", "AGENTS"], cells));
      print(`kept in ${signIns.place}`);
    }
    return EXIT.ok;
  },
};
