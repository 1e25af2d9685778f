// A real oidc-provider that speaks one provider's way of giving a user's token for another API: it
// takes exactly that request, with exactly that proof of the client, and answers as that one does.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { decodeJwt, exportJWK, generateKeyPair } from "jose";
import type { JWTPayload } from "jose";
import type { Configuration, Provider as OidcProvider } from "oidc-provider";
import { sqliteAdapter } from "../../demo/idp/adapter-sqlite.ts";
import { errors, Provider } from "../../demo/idp/oidc-provider.ts";
import { openIdpState } from "../../demo/idp/state.ts";
import type { IssuerConfig } from "../../src/config/schema.ts";

export const CLIENT = { client_id: "doorless", client_secret: "the-secret-of-dialect-tests" };
export const API = "api://orders";
const AGENT = "https://doors.test/mcp/desk";
const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";
const TENANT = "5b1d0b6e-0000-4000-8000-00000000aaaa";

interface Manners {
  readonly grant: string;
  readonly auth: "client_secret_post" | "client_secret_basic";
  /** The whole request, but for the grant type and the client: anything else is refused. */
  readonly request: Readonly<Record<string, string | RegExp>>;
  readonly typ: string | undefined;
  /** The claims as that provider writes them. */
  readonly claims: (plain: JWTPayload) => JWTPayload;
  readonly answer: (scope: string) => Record<string, unknown>;
}

const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const NAMED = { issued_token_type: ACCESS_TOKEN };

export const MANNERS: Readonly<Record<Exclude<IssuerConfig["profile"], "rfc9068">, Manners>> = {
  // keycloak/keycloak, docs/guides/securing-apps/token-exchange.adoc
  keycloak: {
    grant: TOKEN_EXCHANGE,
    auth: "client_secret_post",
    request: {
      subject_token: JWT,
      subject_token_type: ACCESS_TOKEN,
      requested_token_type: ACCESS_TOKEN,
      audience: API,
      scope: "orders:read",
    },
    typ: "JWT",
    claims: ({ client_id, ...plain }) => ({ ...plain, typ: "Bearer", azp: client_id }),
    answer: (scope) => ({ ...NAMED, scope, "not-before-policy": 0, refresh_expires_in: 0 }),
  },
  // developer.okta.com/docs/guides/set-up-token-exchange
  okta: {
    grant: TOKEN_EXCHANGE,
    auth: "client_secret_basic",
    request: {
      subject_token: JWT,
      subject_token_type: ACCESS_TOKEN,
      audience: API,
      scope: "orders:read",
    },
    typ: undefined,
    claims: ({ client_id, scope, ...plain }) => ({
      ...plain,
      cid: client_id,
      scp: String(scope).split(" "),
    }),
    answer: (scope) => ({ ...NAMED, scope }),
  },
  // auth0.com/docs, on-behalf-of token exchange
  auth0: {
    grant: TOKEN_EXCHANGE,
    auth: "client_secret_post",
    request: {
      subject_token: JWT,
      subject_token_type: ACCESS_TOKEN,
      audience: API,
      scope: "orders:read",
    },
    typ: "JWT",
    claims: ({ client_id, ...plain }) => ({
      ...plain,
      azp: client_id,
      act: { sub: CLIENT.client_id },
    }),
    answer: (scope) => ({ ...NAMED, scope }),
  },
  // Microsoft identity platform, OAuth 2.0 on-behalf-of flow
  entra: {
    grant: JWT_BEARER,
    auth: "client_secret_post",
    request: {
      assertion: JWT,
      requested_token_use: "on_behalf_of",
      scope: `${API}/orders:read`,
    },
    typ: "JWT",
    claims: ({ client_id, scope, sub, ...plain }) => ({
      ...plain,
      // Of each application, a person has another one.
      sub: createHash("sha256")
        .update(`${String(plain.aud)}|${sub}`)
        .digest("base64url"),
      oid: sub,
      tid: TENANT,
      azp: client_id,
      scp: scope,
      ver: "2.0",
    }),
    answer: (scope) => ({ scope: `${API}/${scope}`, ext_expires_in: 300 }),
  },
};

export interface DialectProvider {
  readonly issuer: string;
  /** What of the next answer is not as it should be. */
  bend: { account?: string; audience?: string; scope?: string; claims?: Record<string, unknown> };
  readonly seen: URLSearchParams[];
  userToken(account: string): Promise<string>;
  close(): Promise<void>;
}

interface State {
  bend: DialectProvider["bend"];
  readonly seen: URLSearchParams[];
}

const resourceOf = (audience: string, scope: string) => ({
  audience,
  scope,
  accessTokenTTL: 300,
  accessTokenFormat: "jwt" as const,
  jwt: { sign: { alg: "RS256" as const } },
});

/** Keeps its state in `folder`. */
export async function openDialectProvider(
  name: keyof typeof MANNERS,
  folder: string,
): Promise<DialectProvider> {
  const server = createServer((req, res) => void provider.callback()(req, res));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  const key = { ...(await exportJWK(privateKey)), kid: "k1", alg: "RS256", use: "sig" };
  const state: State = { bend: {}, seen: [] };
  const { db } = await openIdpState(folder);
  const jwks = { keys: [{ ...key, kty: "RSA" }] };
  const provider = new Provider(issuer, {
    ...settings(MANNERS[name], state),
    adapter: sqliteAdapter(db),
    jwks,
  });
  provider.silent = true;
  registerGrant(provider, name, state);
  return Object.assign(state, {
    issuer,
    userToken: (account: string) => mint(provider, account, AGENT, "mcp"),
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      db.close();
    },
  });
}

function settings(manners: Manners, state: State): Configuration {
  return {
    ttl: { AccessToken: () => 300 },
    clients: [
      {
        ...CLIENT,
        token_endpoint_auth_method: manners.auth,
        grant_types: [manners.grant],
        response_types: [],
        redirect_uris: [],
      },
    ],
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_ctx, indicator) => resourceOf(indicator, "orders:read"),
      },
    },
    formats: {
      customizers: {
        jwt: (_ctx, _token, jwt) => {
          const plain = { ...(jwt.payload as JWTPayload) };
          jwt.payload = { ...manners.claims(plain), ...state.bend.claims };
          jwt.header = manners.typ === undefined ? {} : { typ: manners.typ };
        },
      },
    },
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  };
}

async function mint(provider: OidcProvider, account: string, audience: string, scope: string) {
  const client = await provider.Client.find(CLIENT.client_id);
  if (client === undefined) throw new Error("no client");
  const about = { client, accountId: account, grantId: "a-grant", gty: "a-grant-type", scope };
  const token = new provider.AccessToken(about);
  token.resourceServer = new provider.ResourceServer(audience, resourceOf(audience, scope));
  return token.save();
}

function registerGrant(provider: OidcProvider, name: keyof typeof MANNERS, state: State): void {
  const { grant, request, answer } = MANNERS[name];
  const known = ["grant_type", "client_id", "client_secret", ...Object.keys(request)];
  provider.registerGrantType(
    grant,
    async (ctx) => {
      const body = new URLSearchParams(ctx.oidc.body as Record<string, string>);
      state.seen.push(body);
      for (const [param, wanted] of Object.entries(request)) {
        const given = body.get(param) ?? "";
        const fits = typeof wanted === "string" ? given === wanted : wanted.test(given);
        if (!fits) throw new errors.InvalidRequest(`${param} is not what ${name} takes`);
      }
      const extra = [...body.keys()].filter((one) => !known.includes(one));
      if (extra.length > 0) throw new errors.InvalidRequest(`${name} knows no ${extra.join()}`);
      const sent = decodeJwt(body.get("subject_token") ?? body.get("assertion") ?? "");
      const { oid } = sent;
      const person = typeof oid === "string" ? oid : String(sent.sub);
      const { account = person, audience = API, scope = "orders:read" } = state.bend;
      ctx.body = {
        access_token: await mint(provider, account, audience, scope),
        token_type: "Bearer",
        expires_in: 300,
        ...answer(scope),
      };
    },
    [...Object.keys(request), "resource", "actor_token"],
    [],
  );
}
