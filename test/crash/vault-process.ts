// One of several processes on one vault: ten callers that want their users' tokens, over and over.
import { setTimeout as sleep } from "node:timers/promises";
import { serveParent, tell } from "../setup/child-side.ts";
import { credentialOf } from "../setup/going.ts";
import { openLinks, SCOPES } from "../setup/links.ts";

const CALLERS = 10;
const PAUSE_MS = 40;

const [folder = "", issuer = "", ...people] = process.argv.slice(2);
const links = openLinks(folder, issuer);
const counts = { calls: 0, refused: {} as Record<string, number>, foreign: 0 };
const stopped = new AbortController();

/** Whose token it is, as the API would see it. */
async function ownerOf(token: string): Promise<unknown> {
  const response = await fetch(`${issuer}/check`, { method: "POST", body: token });
  return ((await response.json()) as { name: unknown }).name;
}

async function caller(number: number): Promise<void> {
  for (let turn = number; !stopped.signal.aborted; turn++) {
    const person = people[turn % people.length] ?? "";
    const got = await links.connections.token(credentialOf({ subject: person }), "mail", SCOPES);
    counts.calls++;
    if (got.ok) {
      if ((await ownerOf(got.value.token.reveal())) !== person) counts.foreign++;
    } else {
      const { code } = got.refusal;
      counts.refused[code] = (counts.refused[code] ?? 0) + 1;
    }
    await sleep(PAUSE_MS);
  }
}

const callers = Array.from({ length: CALLERS }, (_, i) => caller(i));
serveParent({
  counts: () => counts,
  async stop() {
    stopped.abort();
    await Promise.all(callers);
    await links.close();
    return counts;
  },
});
tell({ ready: true });
