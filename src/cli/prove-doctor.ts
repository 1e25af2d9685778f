// The promise about `doctor`: it finds what is wrong, and nothing where nothing is.
import { lookAtCore } from "./doctor-core.ts";
import { lookAtPeers } from "./doctor-peers.ts";
import { must } from "./prove-stage.ts";
import type { Stage } from "./prove-stage.ts";

export async function doctored({ config, demo: { world } }: Stage): Promise<string> {
  const wrong = async (): Promise<string[]> => {
    const found = [...(await lookAtPeers(config)), await lookAtCore(config)];
    return found.flatMap(({ state, about, mend }) =>
      state === "wrong" && mend !== undefined ? [about] : [],
    );
  };
  const before = await wrong();
  must(before.length === 0, `in a house in order it found ${before.join(", ")}`);
  const found: string[] = [];
  for (const [lever, who] of [
    ["api", "connector"],
    ["idp", "issuer"],
  ] as const) {
    await world.set(`${lever}:down`);
    const now = await wrong();
    await world.set(`${lever}:up`);
    must(
      now.some((about) => about.startsWith(who)),
      `${lever} is down: it found ${now.join(", ")}`,
    );
    found.push(...now);
  }
  return `nothing in a house in order; API and provider down: ${[...new Set(found)].join(", ")}`;
}
