// A worker that attacks: it makes every attempt, and says what became of each. Its words are no
// proof of a refusal to anybody but us; what it got hold of is.
import { ATTEMPT_NAMES } from "../claims.ts";
import type { Frame } from "../frames.ts";
import { attempts } from "./attempts.ts";
import type { Targets } from "./attempts.ts";
import { openChannel } from "./channel.ts";

const send = openChannel((frame) => void onFrame(frame));
send({ t: "ready" });

async function onFrame(frame: Frame): Promise<void> {
  const { targets, only } = frame as unknown as { targets: Targets; only: readonly string[] };
  for (const name of ATTEMPT_NAMES.filter((one) => only.includes(one))) {
    try {
      send({ t: "attempt", name, got: await attempts[name](targets) });
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      send({ t: "attempt", name, refused: `${code ?? ""} ${message}`.trim().slice(0, 300) });
    }
  }
  send({ t: "done" });
}
