/** The demo's identity provider: oidc-provider, configured for people without passwords. */

import type {
  AccessToken,
  ClientCredentials,
  Configuration,
  interactionPolicy as policies,
  KoaContextWithOIDC,
  Provider as OidcProvider,
  UnknownObject,
} from "oidc-provider";
import { findPerson } from "../people.ts";
import type { Boundary } from "../boundary.ts";
import { sqliteAdapter } from "./adapter-sqlite.ts";
import { registerTokenExchange, TOKEN_EXCHANGE } from "./exchange.ts";
import { errors, interactionPolicy, Provider } from "./oidc-provider.ts";
import { devicePages, renderError, signOutPages } from "./pages.ts";
import { AGENT_SCOPE, AGENT_TOKEN_TTL_S, agentResource, type Resources } from "./resources.ts";
import type { IdpState } from "./state.ts";
import { type CheckToken, liveTokens, type LiveToken } from "./subject-token.ts";

/** The client that `mintToken` speaks for. */
export const DEMO_CLIENT_ID = "doorless-demo-cli";

/** `doorless login`: one sign-in for all agents, from which each token is for one. */
const LOGIN_CLIENT_ID = "doorless-login";

const DAY_S = 24 * 60 * 60;
const TTL_S = { grant: 14 * DAY_S, interaction: 60 * 60, code: 10 * 60, id_token: 60 * 60 };

export interface ProviderOptions {
  readonly issuer: string;
  readonly resources: Resources;
  readonly boundary: Boundary;
  readonly state: IdpState;
}

export interface ProviderParts {
  readonly provider: OidcProvider;
  readonly checkToken: CheckToken;
}

export function createProvider(options: ProviderOptions): ProviderParts {
  const { issuer, resources, state } = options;
  const actors = new WeakMap<object, LiveToken>();
  const provider = new Provider(issuer, {
    ...staticSettings(options),
    features: features(resources, options.boundary.client_id),
    findAccount: (_ctx, subject) => {
      const person = findPerson(subject);
      if (person === undefined || state.isDisabled(subject)) return undefined;
      return { accountId: subject, claims: () => ({ sub: subject, ...personClaims(subject) }) };
    },
    extraTokenClaims: (_ctx, token) => accessTokenClaims(token, actors.get(token)),
    loadExistingGrant,
    extraParams: { scope: defaultScope },
    interactions: { policy: alwaysAskWho(), url: (_ctx, { uid }) => `/interaction/${uid}` },
  });
  // Koa would print what breaks; the answer to the client says it already.
  provider.silent = true;
  const checkToken = liveTokens(provider, state, [...resources.agents.keys()]);
  registerTokenExchange(provider, {
    resources,
    checkToken,
    boundary_id: options.boundary.client_id,
    nameActor: (token, actor) => void actors.set(token, actor),
  });
  return { provider, checkToken };
}

function staticSettings({ state, boundary, resources }: ProviderOptions): Configuration {
  return {
    adapter: sqliteAdapter(state.db),
    jwks: { keys: state.keys.map((key) => ({ ...key, kty: "EC" })) },
    cookies: { keys: [...state.cookie_keys] },
    discovery: { doorless_demo: true },
    scopes: ["openid", "offline_access", AGENT_SCOPE],
    claims: { openid: ["sub"], profile: ["name", "tenant", "roles"], email: ["email"] },
    conformIdTokenClaims: false,
    responseTypes: ["code"],
    pkce: { required: () => true },
    rotateRefreshToken: () => true,
    issueRefreshToken: (_ctx, client) => client.grantTypeAllowed("refresh_token"),
    expiresWithSession: () => false,
    // IDEs register loopback and custom-scheme redirects and seldom say that they are native.
    clientDefaults: {
      application_type: "native",
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      id_token_signed_response_alg: "ES256",
    },
    clients: [
      {
        client_id: boundary.client_id,
        client_secret: boundary.client_secret,
        client_name: "The boundary",
        token_endpoint_auth_method: "client_secret_basic",
        // It exchanges people's tokens, and asks its own pages' visitors who they are.
        application_type: "web",
        grant_types: [TOKEN_EXCHANGE, "authorization_code"],
        response_types: ["code"],
        redirect_uris: [...signInRedirects(resources)],
        ...(boundary.events === undefined
          ? {}
          : { backchannel_logout_uri: boundary.events.backchannel_logout }),
      },
      {
        client_id: DEMO_CLIENT_ID,
        client_name: "doorless demo",
        redirect_uris: ["http://127.0.0.1/callback"],
      },
      {
        client_id: LOGIN_CLIENT_ID,
        client_name: "doorless on this machine",
        redirect_uris: ["http://127.0.0.1/callback"],
        grant_types: [
          "authorization_code",
          "refresh_token",
          "urn:ietf:params:oauth:grant-type:device_code",
        ],
      },
    ],
    ttl: {
      AccessToken: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? AGENT_TOKEN_TTL_S,
      DeviceCode: TTL_S.code,
      Grant: TTL_S.grant,
      IdToken: TTL_S.id_token,
      Interaction: TTL_S.interaction,
      RefreshToken: TTL_S.grant,
      Session: TTL_S.grant,
    },
    clientBasedCORS: () => false, // the front has answered for loopback origins already
    renderError,
    fetch: fetchOnLoopbackToo,
  };
}

/** Where the boundary's own pages are: beside the agents' endpoints. */
function signInRedirects(resources: Resources): Set<string> {
  return new Set([...resources.agents.keys()].map((url) => new URL("/sign-in/callback", url).href));
}

function features(
  resources: Resources,
  boundary_id: string,
): NonNullable<Configuration["features"]> {
  return {
    devInteractions: { enabled: false },
    registration: { enabled: true },
    revocation: {
      enabled: true,
      allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId,
    },
    introspection: {
      enabled: true,
      allowedPolicy: (_ctx, client, token) =>
        client.clientAuthMethod !== "none" || token.clientId === client.clientId,
    },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: { enabled: true, ...signOutPages },
    deviceFlow: { enabled: true, ...devicePages },
    clientIdMetadataDocument: { enabled: true, ack: "draft-02" },
    resourceIndicators: {
      enabled: true,
      defaultResource: (_ctx, client, one_of) => {
        // Who somebody is, is no business of an agent: that sign-in needs none.
        if (client?.clientId === boundary_id) return [];
        // Never default to a purpose: the client says which agent it is, and only one.
        if (one_of !== undefined && !Array.isArray(one_of)) return one_of;
        throw new errors.InvalidTarget("exactly one resource is needed: an agent's MCP endpoint");
      },
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, indicator) => {
        const { client, params } = ctx.oidc;
        if (Array.isArray(params?.["resource"]) && client?.clientId !== LOGIN_CLIENT_ID) {
          throw new errors.InvalidTarget("exactly one resource may be requested");
        }
        return agentResource(resources, indicator);
      },
    },
  };
}

/** Every sign-in asks who is there, and picking a person is the consent to all of the request. */
export function alwaysAskWho(): policies.Prompt[] {
  const { Check, Prompt, base } = interactionPolicy;
  const policy = base();
  policy.get("login")?.checks.add(
    new Check("pick_a_person", "a person must be picked", "login_required", (ctx) => {
      return ctx.oidc.result?.login === undefined ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT;
    }),
  );
  policy.add(new Prompt({ name: "select_account", requestable: true }), 0);
  return policy;
}

/** One Grant per sign-in: ending one sign-in leaves the person's others alone. */
async function loadExistingGrant(ctx: KoaContextWithOIDC) {
  const { account, client, result, provider, resourceServers } = ctx.oidc;
  if (!account || !client || result?.login === undefined) return undefined;
  const grant = new provider.Grant({ accountId: account.accountId, clientId: client.clientId });
  grant.addOIDCScope(ctx.oidc.requestParamOIDCScopes);
  grant.addOIDCClaims(ctx.oidc.requestParamClaims);
  for (const [indicator, server] of Object.entries(resourceServers ?? {})) {
    grant.addResourceScope(indicator, server.scope);
  }
  await grant.save();
  return grant;
}

// MCP clients may ask for no scope, or for one that nobody knows: the resource is what matters.
function defaultScope(ctx: KoaContextWithOIDC): void {
  const { params } = ctx.oidc;
  if (params === undefined || ctx.oidc.requestParamOIDCScopes.size > 0) return;
  params["scope"] = AGENT_SCOPE;
}

function personClaims(subject: string): UnknownObject {
  const person = findPerson(subject);
  if (person === undefined) return {};
  const { name, email, tenant, roles } = person;
  return { name, email, ...(tenant === undefined ? {} : { tenant }), roles };
}

function accessTokenClaims(
  token: AccessToken | ClientCredentials,
  actor: LiveToken | undefined,
): UnknownObject {
  if (!("accountId" in token)) return {};
  const claims = { ...personClaims(token.accountId), grant_id: token.grantId };
  // RFC 8693 §4.1: sub stays the human, act names the client that acts for them.
  return actor === undefined ? claims : { ...claims, act: { sub: actor.client_id } };
}

/** The provider's own guard refuses loopback, where all back-channel logout of a demo goes. */
function fetchOnLoopbackToo(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const url = new URL(input instanceof Request ? input.url : input);
  if (url.hostname !== "127.0.0.1" && url.hostname !== "localhost") return fetch(input, init);
  const { dispatcher: _guard, ...plain } = (init ?? {}) as RequestInit & { dispatcher?: unknown };
  return fetch(input, plain);
}
