// What others ask of the house in force: the pages of people, and the questions that wait for them.
import { connectorOf } from "../catalog/definition.ts";
import type { Bound } from "../gate/approvals.ts";
import type { Principal } from "../kernel/principal.ts";
import type { House } from "./house.ts";

/** What the pages of people ask of the house in force. */
export function lookIn(house: () => House) {
  return {
    titleOf(connector: string): string {
      const tools = [...house().catalog.tools.values()];
      const connectors = tools.map((tool) => connectorOf(tool));
      return connectors.find((one) => one?.name === connector)?.title ?? connector;
    },
    /** Whether an agent gives this person a tool that goes through the connector. */
    isFor(principal: Principal, connector: string): boolean {
      const { config, policy } = house();
      const { roles, subject, tenant, issuer, attributes } = principal;
      // Signed in on a page, not with a token of an agent: which scopes one would have is open.
      const who = { roles, scopes: "any", subject, tenant, issuer, attributes } as const;
      return Object.keys(config.agents).some((agent) => {
        const surface = policy.surface(who, agent);
        const doors = surface.list.map(({ name }) => surface.get(name));
        return doors.some((door) => door && connectorOf(door.tool)?.name === connector);
      });
    },
  };
}

/** Whether what was shown to a human is what would run. */
export function standsIn({ policy, catalog }: House): (bound: Bound) => boolean {
  return (bound) =>
    policy.hash === bound.policy && catalog.tools.get(bound.tool)?.hash === bound.tool_hash;
}
