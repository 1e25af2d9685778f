// Lists: what the configuration's agents and roles list, compiled. What they lead to is of
// policy.ts; whether they fit the catalogue is of check.ts.
import type { Config } from "../config/load.ts";
import { pointerTo } from "../kernel/json.ts";
import type { Grant } from "./grant.ts";
import { compileSelection } from "./selection.ts";
import type { Selection } from "./selection.ts";

export interface Lists {
  readonly config: Config;
  readonly agents: ReadonlyMap<string, Selection>;
  /** Role -> agent -> its list. */
  readonly roles: ReadonlyMap<string, ReadonlyMap<string, Selection>>;
}

export function compileLists(config: Config): Lists {
  const place = (pointer: string): string => config.place(pointer);
  const agents = Object.entries(config.agents).map(([name, file]) => {
    return [name, compileSelection(file, pointerTo("/agents", name), place)] as const;
  });
  const roles = Object.entries(config.roles).map(([role, its]) => {
    const at = pointerTo("/roles", role);
    const lists = Object.entries(its).map(
      ([agent, file]) => [agent, compileSelection(file, pointerTo(at, agent), place)] as const,
    );
    return [role, new Map(lists)] as const;
  });
  return { config, agents: new Map(agents), roles: new Map(roles) };
}

/** Every grant that may decide at this agent: its own, and those of the roles. */
export function grantsAt(lists: Lists, agent: string): readonly Grant[] {
  const its = [...lists.roles.values()].flatMap((byAgent) => byAgent.get(agent) ?? []);
  return [lists.agents.get(agent), ...its].flatMap((one) => [...(one?.bySelector.values() ?? [])]);
}
