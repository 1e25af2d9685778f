// Which parts of the configuration may change while it is served: the policy. The rest is wired
// in at the start, and a change of it that took no effect would be a limit that nobody keeps.
import { canonicalJson } from "../kernel/ids.ts";
import { pointerTo } from "../kernel/json.ts";
import { own } from "../kernel/own.ts";
import type { Config } from "./load.ts";
import { ConfigError } from "./problem.ts";
import type { Problem } from "./problem.ts";
import { configSchema } from "./schema.ts";

const LIVE = ["roles", "people", "shadow", "$schema"];
const LIVE_OF_AGENT = ["tools", "exclude", "read_only"];

type Json = Readonly<Record<string, unknown>>;

/** Throws `ConfigError` where `next` changes what only a restart can. */
export function fixedIn(running: Config, next: Config): void {
  const problems: Problem[] = [];
  const [before, after] = [running, next].map(fileOf);
  for (const key of Object.keys(configSchema.shape)) {
    if (LIVE.includes(key) || isSame(before?.[key], after?.[key])) continue;
    const pointer = key === "agents" ? changedAgent(before?.[key], after?.[key]) : `/${key}`;
    const line = Number(next.place(pointer).split(":").at(-1));
    const message = "changed, and only agents' tools, roles, people and shadow can while it runs";
    problems.push({ file: next.file, pointer, line, message, mend: "restart, or change it back" });
  }
  if (problems.length > 0) throw new ConfigError(problems);
}

/** The file's own keys, agents without what may change. */
function fileOf(config: Config): Json {
  const agents = Object.entries(config.agents).map(([name, agent]) => {
    const kept = Object.entries(agent).filter(([key]) => !LIVE_OF_AGENT.includes(key));
    return [name, Object.fromEntries(kept)];
  });
  const all = config as unknown as Json;
  const keys = Object.keys(configSchema.shape).map((key) => [key, own(all, key)]);
  return { ...Object.fromEntries(keys), agents: Object.fromEntries(agents) } as Json;
}

function isSame(a: unknown, b: unknown): boolean {
  return canonicalJson({ value: a }) === canonicalJson({ value: b });
}

function changedAgent(before: unknown, after: unknown): string {
  const [old, now] = [before as Json, after as Json];
  const names = [...Object.keys(now), ...Object.keys(old)];
  const name = names.find((one) => !isSame(own(old, one), own(now, one)));
  return name === undefined ? "/agents" : pointerTo("/agents", name);
}
