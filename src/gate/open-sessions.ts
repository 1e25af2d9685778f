// Who may go on, put together: locks, endings, and what each provider is asked.
import { join } from "node:path";
import { Notices, NOTICES_FILE } from "../catalog/notices.ts";
import { Suspensions } from "../catalog/suspensions.ts";
import { boundOf, livenessOf } from "../config/liveness.ts";
import type { Config } from "../config/load.ts";
import type { Delegation } from "../delegation/delegation.ts";
import { createClient } from "../identity/client.ts";
import { createIntrospection } from "../identity/introspection.ts";
import type { Provider } from "../identity/provider.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Credential } from "../kernel/principal.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { Upstreams } from "../sandbox/upstream/upstreams.ts";
import { Alive } from "../session/alive.ts";
import { Answers } from "../session/answers.ts";
import { ExclusiveAgents } from "../session/exclusive.ts";
import { Liveness } from "../session/liveness.ts";
import type { Ask, IssuerLiveness } from "../session/liveness.ts";
import { isReached, reachableOf } from "../session/reach.ts";
import { Sessions } from "../session/sessions.ts";
import { openSqliteStopStore } from "../session/stop-store-sqlite.ts";
import { Stops } from "../session/stops.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Resends } from "./resends.ts";

interface Needs {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Rooms {
  readonly providers: ReadonlyMap<string, Provider>;
  readonly delegation: Delegation;
  readonly sandbox: Sandbox | undefined;
  readonly upstreams: Upstreams;
  readonly resends: Resends;
}

/** Who may go on: locks, endings, and what each provider is asked. */
export function openSessions({ config, clock, log }: Needs, data: string, rooms: Rooms) {
  const { providers, delegation, sandbox, upstreams, resends } = rooms;
  const now_s = Math.floor(clock.now() / 1000);
  const store = openSqliteStopStore(join(data, "stops.sqlite"), now_s);
  const stops = new Stops(store);
  const issuers = new Map<string, IssuerLiveness>();
  for (const [name, provider] of providers) {
    const { source } = livenessOf(provider.config);
    const ask = askerOf(config, provider, delegation);
    issuers.set(name, { source, bound_ms: boundOf(provider.config), ask });
  }
  const liveness = new Liveness(issuers, clock);
  const agents = Object.entries(config.agents).filter(([, agent]) => agent.exclusive);
  const exclusive = new ExclusiveAgents(
    new Set(agents.map(([name]) => name)),
    config.limits.exclusive_idle_s * 1000,
    clock,
    store,
  );
  const drop = (isTheirs: (credential: Credential) => boolean): void => {
    delegation.drop(isTheirs).catch((error: unknown) => {
      log.warn({ err: error }, "a dropped token could not be revoked at its provider");
    });
    // A worker of a session that may not go on holds what that session has seen.
    sandbox?.endSessions(isTheirs);
    upstreams.endSessions(isTheirs);
  };
  stops.onChange(({ reach, lifted }) => {
    if (!lifted) drop((credential) => isReached(reach, reachableOf(credential)));
  });
  // Others of her tokens may still be good, and are asked about themselves.
  liveness.onEnded((out) => drop((one) => one.token_digest === out.token_digest));
  liveness.follow(stops);
  stops.onChange((change) => resends.heed(change));
  const answers = new Answers(clock);
  stops.onChange(({ reach, lifted }) => void (!lifted && answers.forget(reach)));
  return {
    stops,
    suspensions: new Suspensions(join(data, "suspensions.json")),
    notices: new Notices(join(data, NOTICES_FILE), clock),
    answers,
    alive: new Alive(stops, liveness, exclusive),
    sessions: new Sessions(clock),
    close(): void {
      liveness.close();
      stops.close();
    },
  };
}

function askerOf(config: Config, provider: Provider, delegation: Delegation): Ask | undefined {
  const liveness = livenessOf(provider.config);
  switch (liveness.source) {
    case "introspection": {
      const { client } = provider.config;
      const secret = config.client_secrets.get(provider.name);
      if (client === undefined || secret === undefined) throw new Error("introspection, no client");
      return createIntrospection(createClient(provider, client.client_id, secret));
    }
    case "exchange":
      return (credential) => delegation.probe(credential, liveness.connector, liveness.scopes);
    case "events":
    case "token_lifetime":
      return undefined;
  }
}
