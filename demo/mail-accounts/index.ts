/**
 * The mail API's own authorization server: people have mailboxes there, apart from the identity
 * provider's sign-in. Refresh tokens rotate, and one that is used twice ends the whole connection.
 */

import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type {
  Configuration,
  Interaction,
  KoaContextWithOIDC,
  Provider as OidcProvider,
} from "oidc-provider";
import { API_SCOPES } from "../apis.ts";
import { findPerson, PEOPLE } from "../people.ts";
import { sqliteAdapter } from "../idp/adapter-sqlite.ts";
import { formTargets, leaveOtherSession, placeOf, readForm, sendPage } from "../idp/front.ts";
import { errors, Provider } from "../idp/oidc-provider.ts";
import { messagePage, renderError } from "../idp/pages.ts";
import { alwaysAskWho } from "../idp/provider.ts";
import { openIdpState, type IdpState } from "../idp/state.ts";
import { mailboxPage } from "./page.ts";

const DAY_S = 24 * 60 * 60;
const ACCESS_TOKEN_S = 120;
const INTERACTION = /^\/interaction\/[\w-]{8,64}$/;

export interface MailAccountsOptions {
  readonly data: string;
  readonly issuer: string;
  /** Audience of the mail API's tokens. */
  readonly resource: string;
  readonly client: { readonly client_id: string; readonly client_secret: string };
  readonly redirect_uris: readonly string[];
}

export interface MailAccounts {
  readonly handler: RequestListener;
  close(): void;
}

export async function createMailAccounts(options: MailAccountsOptions): Promise<MailAccounts> {
  const state = await openIdpState(options.data, "mail-accounts.sqlite");
  const provider = new Provider(options.issuer, settings(options, state));
  provider.silent = true;
  const toProvider = provider.callback();
  return {
    handler(request, response) {
      const { pathname } = new URL(request.url ?? "/", options.issuer);
      if (INTERACTION.test(pathname)) {
        pickMailbox(provider, request, response).catch(() => {
          const lost = "This has expired. Go back to where you came from and start again.";
          sendPage(response, 400, messagePage("This cannot go on", lost));
        });
        return;
      }
      if (pathname === "/") {
        sendPage(response, 200, messagePage("Acme Mail", "Accounts of the demo's mail API."));
        return;
      }
      void toProvider(request, response);
    },
    close: () => state.db.close(),
  };
}

function settings(options: MailAccountsOptions, state: IdpState): Configuration {
  const { client, redirect_uris } = options;
  return {
    adapter: sqliteAdapter(state.db),
    jwks: { keys: state.keys.map((key) => ({ ...key, kty: "EC" })) },
    // The browser does not tell the demo's two providers apart: one host, two ports.
    cookies: {
      keys: [...state.cookie_keys],
      names: { session: "_mail", interaction: "_mail_interaction", resume: "_mail_resume" },
    },
    scopes: ["openid", "offline_access", ...API_SCOPES.mail],
    claims: { openid: ["sub"], email: ["email"] },
    conformIdTokenClaims: false,
    responseTypes: ["code"],
    pkce: { required: () => true },
    rotateRefreshToken: () => true,
    issueRefreshToken: (_ctx, _client, code) => code.scopes.has("offline_access"),
    expiresWithSession: () => false,
    clients: [
      {
        ...client,
        client_name: "doorless",
        application_type: "web",
        token_endpoint_auth_method: "client_secret_post",
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        redirect_uris: [...redirect_uris],
        id_token_signed_response_alg: "ES256",
      },
    ],
    features: {
      devInteractions: { enabled: false },
      revocation: {
        enabled: true,
        allowedPolicy: (_ctx, asking, token) => token.clientId === asking.clientId,
      },
      introspection: {
        enabled: true,
        allowedPolicy: (_ctx, asking, token) => token.clientId === asking.clientId,
      },
      resourceIndicators: mailTokensFor(options.resource),
    },
    findAccount: (_ctx, subject) => {
      const person = findPerson(subject);
      if (person === undefined) return undefined;
      return { accountId: subject, claims: () => ({ sub: subject, email: person.email }) };
    },
    loadExistingGrant,
    interactions: { policy: alwaysAskWho(), url: (_ctx, { uid }) => `/interaction/${uid}` },
    ttl: {
      AccessToken: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? ACCESS_TOKEN_S,
      Grant: 90 * DAY_S,
      IdToken: 600,
      Interaction: 3600,
      RefreshToken: 90 * DAY_S,
      Session: DAY_S,
    },
    renderError,
  };
}

/** All its access tokens are for the one API. */
function mailTokensFor(
  resource: string,
): NonNullable<NonNullable<Configuration["features"]>["resourceIndicators"]> {
  return {
    enabled: true,
    defaultResource: () => resource,
    useGrantedResource: () => true,
    getResourceServerInfo: (_ctx, indicator) => {
      if (indicator !== resource) throw new errors.InvalidTarget("no such resource");
      return {
        audience: indicator,
        scope: API_SCOPES.mail.join(" "),
        accessTokenTTL: ACCESS_TOKEN_S,
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: "ES256" } },
      };
    },
  };
}

/** A grant of its own per connection: taking one away leaves the person's others alone. */
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

async function pickMailbox(
  provider: OidcProvider,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const interaction = await provider.interactionDetails(request, response);
  if (request.method !== "POST") return ask(interaction, response, 200);
  const form = await readForm(request);
  if (form.has("cancel")) {
    const result = { error: "access_denied", error_description: "The person said no." };
    return provider.interactionFinished(request, response, result);
  }
  const person = findPerson(form.get("mailbox") ?? "");
  if (person === undefined) return ask(interaction, response, 422);
  await leaveOtherSession(provider, interaction, person.subject, response);
  const login = { accountId: person.subject };
  return provider.interactionFinished(request, response, { login, consent: {} });
}

function ask({ params, uid }: Interaction, response: ServerResponse, status: number): void {
  const target = new URL(String(params["redirect_uri"]));
  const html = mailboxPage({
    action: `/interaction/${uid}`,
    returns_to: placeOf(target),
    scope: String(params["scope"]),
    mailboxes: PEOPLE.filter(({ tenant }) => tenant !== undefined),
  });
  sendPage(response, status, html, formTargets(target));
}
