/** The identity provider as the world sees it. */

import type { RequestListener } from "node:http";
import { setTimeout } from "node:timers/promises";
import type { Provider, Client } from "oidc-provider";
import { findPerson, PEOPLE } from "../people.ts";
import type { Binding, Boundary } from "../boundary.ts";
import { forgetSignIns, sessionsOf } from "./adapter-sqlite.ts";
import { idpFront } from "./front.ts";
import { introspectJwtsToo } from "./introspection.ts";
import { createProvider, DEMO_CLIENT_ID } from "./provider.ts";
import { AGENT_SCOPE, agentResource, resourcesOf } from "./resources.ts";
import { transmit } from "./signals.ts";
import { openIdpState } from "./state.ts";

export interface IdentityProviderOptions {
  readonly data: string;
  readonly issuer: string;
  readonly api: string;
  readonly agents: Readonly<Record<string, string>>;
  readonly boundary: Boundary;
}

export interface IdentityProvider {
  readonly handler: RequestListener;
  mintToken(person: string, agent: string, ttl_s: number, binding?: Binding): Promise<string>;
  revoke(person: string): Promise<void>;
  restore(person: string): Promise<void>;
  close(): void;
}

export async function createIdentityProvider(
  options: IdentityProviderOptions,
): Promise<IdentityProvider> {
  const { issuer, boundary, agents } = options;
  const state = await openIdpState(options.data);
  const resources = resourcesOf(agents, options.api);
  const { provider, checkToken } = createProvider({ issuer, resources, boundary, state });
  introspectJwtsToo(provider, checkToken);
  const revoked_s = new Map<string, number>();

  return {
    handler: idpFront(provider, state, resources),
    async mintToken(person, agent, ttl_s, binding = {}) {
      const { scope = AGENT_SCOPE, client_id = DEMO_CLIENT_ID } = binding;
      const { subject } = requirePerson(person);
      const resource = Object.hasOwn(agents, agent) ? agents[agent] : undefined;
      if (resource === undefined) {
        throw new Error(`No agent "${agent}". There are: ${Object.keys(agents).join(", ")}.`);
      }
      if (state.isDisabled(subject)) throw new Error(`The account of ${subject} is disabled.`);
      if (!Number.isSafeInteger(ttl_s) || ttl_s < 1) {
        throw new Error("The time to live is a whole number of seconds, at least 1.");
      }
      const client = await provider.Client.find(client_id);
      if (client === undefined) throw new Error(`No client "${client_id}" is registered.`);
      const grant = new provider.Grant({ accountId: subject, clientId: client_id });
      grant.addResourceScope(resource, scope);
      const grantId = await grant.save();
      const gty = "authorization_code";
      const token = new provider.AccessToken({
        client,
        accountId: subject,
        grantId,
        gty,
        scope,
        expiresIn: ttl_s,
      });
      token.resourceServer = new provider.ResourceServer(
        resource,
        agentResource(resources, resource),
      );
      return token.save();
    },
    async revoke(person) {
      const { subject } = requirePerson(person);
      state.disable(subject);
      const sessions = sessionsOf(state.db, subject);
      forgetSignIns(state.db, subject);
      await Promise.allSettled([
        tellClients(provider, subject, sessions),
        tellBoundary(provider, subject, boundary),
        transmit(state, { issuer, subject, boundary }),
      ]);
      revoked_s.set(subject, nowS());
    },
    async restore(person) {
      const { subject } = requirePerson(person);
      // Tokens count whole seconds: the next one must not look as old as those that were revoked.
      while (nowS() <= (revoked_s.get(subject) ?? 0)) await setTimeout(20);
      state.enable(subject);
    },
    close() {
      state.db.close();
    },
  };
}

function requirePerson(subject: string) {
  const person = findPerson(subject);
  if (person !== undefined) return person;
  const names = PEOPLE.map((known) => known.subject).join(", ");
  throw new Error(`No person "${subject}". There are: ${names}.`);
}

function nowS(): number {
  return Math.floor(Date.now() / 1000);
}

// Public in oidc-provider, and missing from its types.
type LogoutClient = Client & { backchannelLogout(subject: string, sid?: string): Promise<void> };

/** Back-channel logout to every client that had asked for it in one of these browser sessions. */
async function tellClients(
  provider: Provider,
  subject: string,
  sessions: ReturnType<typeof sessionsOf>,
): Promise<void> {
  const told = sessions.flatMap((session) =>
    Object.entries(session.authorizations ?? {}).map(async ([client_id, { sid }]) => {
      const client = (await provider.Client.find(client_id)) as LogoutClient | undefined;
      if (client?.backchannelLogoutUri !== undefined) await client.backchannelLogout(subject, sid);
    }),
  );
  // A client that cannot be reached does not keep the person's account enabled.
  await Promise.allSettled(told);
}

/** The boundary has no browser session here, and is told all the same: it holds people's tokens. */
async function tellBoundary(
  provider: Provider,
  subject: string,
  { client_id }: Boundary,
): Promise<void> {
  const client = (await provider.Client.find(client_id)) as LogoutClient | undefined;
  if (client?.backchannelLogoutUri !== undefined) await client.backchannelLogout(subject);
}
