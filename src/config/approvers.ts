// Who is to approve something signs in for it: at each provider whose users may come.
import { pointerTo } from "../kernel/json.ts";
import type { Config } from "./load.ts";
import { ConfigError } from "./problem.ts";
import type { Problem } from "./problem.ts";
import type { GrantFile } from "./rules.ts";

/** Throws `ConfigError` where somebody could never say yes to a call of hers. */
export function mustHaveApprovers(config: Config): void {
  const problems: Problem[] = [];
  for (const { agent, pointer } of demandsIn(config)) {
    const issuers = config.agents[agent]?.issuers ?? Object.keys(config.issuers);
    const mute = issuers.filter((issuer) => config.issuers[issuer]?.client === undefined);
    if (mute.length === 0) continue;
    problems.push({
      file: config.file,
      pointer,
      line: Number(config.place(pointer).split(":").at(-1)),
      message: `nobody can sign in to approve it at the issuer ${mute.join(", ")}`,
      mend: "add `client` to that issuer, with which doorless signs people in",
    });
  }
  if (problems.length > 0) throw new ConfigError(problems);
}

/** Where a human's yes is demanded, and of calls through which agent. */
function* demandsIn({ agents, roles }: Config) {
  for (const [agent, { tools }] of Object.entries(agents)) {
    yield* demandsOf(agent, `${pointerTo("/agents", agent)}/tools`, tools);
  }
  for (const [role, has] of Object.entries(roles)) {
    for (const [agent, its] of Object.entries(has)) {
      if (its === "all" || Array.isArray(its)) continue;
      const { tools } = its;
      if (tools === "all" || Array.isArray(tools)) continue;
      yield* demandsOf(agent, `${pointerTo(pointerTo("/roles", role), agent)}/tools`, tools);
    }
  }
}

function* demandsOf(agent: string, at: string, tools: Readonly<Record<string, GrantFile>>) {
  for (const [selector, { approve, rules = [] }] of Object.entries(tools)) {
    const pointer = pointerTo(at, selector);
    if (approve !== undefined) yield { agent, pointer: `${pointer}/approve` };
    for (const [i, rule] of rules.entries()) {
      if (rule.approve !== undefined) yield { agent, pointer: `${pointer}/rules/${i}/approve` };
    }
  }
}
