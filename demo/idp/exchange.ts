/** RFC 8693: the boundary trades a person's agent token for that person's token at one API. */

import type { Provider, TokenEndpointGrantContext } from "oidc-provider";
import { scopesFor } from "../apis.ts";
import { findPerson } from "../people.ts";
import { errors } from "./oidc-provider.ts";
import { apiResource, isTriedServer, triedServer, type Resources } from "./resources.ts";
import type { CheckToken, LiveToken } from "./subject-token.ts";

export const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";

const PARAMETERS = [
  "subject_token",
  "subject_token_type",
  "requested_token_type",
  "actor_token",
  "audience",
  "resource",
  "scope",
] as const;

interface ExchangeParams {
  readonly subject_token?: string;
  readonly subject_token_type?: string;
  readonly requested_token_type?: string;
  readonly actor_token?: string;
  readonly audience?: string | string[];
}

export interface ExchangeOptions {
  readonly resources: Resources;
  readonly boundary_id: string;
  readonly checkToken: CheckToken;
  /** Tells the claims of the token that is being minted who acts for the person. */
  readonly nameActor: (token: object, actor: LiveToken) => void;
}

export function registerTokenExchange(provider: Provider, options: ExchangeOptions): void {
  provider.registerGrantType<ExchangeParams>(
    TOKEN_EXCHANGE,
    async (ctx) => {
      const { client, params } = ctx.oidc;
      if (client.clientId !== options.boundary_id) {
        throw new errors.UnauthorizedClient("this client may not exchange tokens");
      }
      const subject_token = requireSubjectToken(params);
      const { resource, api } = requireOneTarget(ctx, options.resources);
      const subject = await options.checkToken(subject_token);
      const person = subject && findPerson(subject.subject);
      if (subject === undefined || person === undefined) {
        // RFC 6749 §5.2: invalid, expired and revoked grants answer alike.
        throw new errors.InvalidGrant("subject_token is not valid, or its sign-in has ended");
      }
      const scope = api && grantedScope(params.scope, scopesFor(api, person.roles));

      const token = new provider.AccessToken({
        client,
        accountId: subject.subject,
        grantId: subject.grant_id,
        gty: TOKEN_EXCHANGE,
        ...(scope === undefined ? {} : { scope }),
      });
      const target = api === undefined ? triedServer(resource) : apiResource(resource, api);
      token.resourceServer = new provider.ResourceServer(resource, target);
      options.nameActor(token, subject);
      ctx.oidc.entity("AccessToken", token);
      const access_token = await token.save();
      ctx.body = {
        access_token,
        // RFC 8693 §2.2.1: issued_token_type is REQUIRED.
        issued_token_type: ACCESS_TOKEN,
        token_type: token.tokenType,
        expires_in: token.expiration,
        ...(scope === undefined ? {} : { scope }),
      };
    },
    PARAMETERS,
    ["resource", "audience"],
  );
}

function requireSubjectToken(params: ExchangeParams): string {
  if (params.subject_token === undefined) {
    throw new errors.InvalidRequest("missing required parameter 'subject_token'");
  }
  if (params.subject_token_type !== ACCESS_TOKEN) {
    throw new errors.InvalidRequest(`subject_token_type must be ${ACCESS_TOKEN}`);
  }
  if ((params.requested_token_type ?? ACCESS_TOKEN) !== ACCESS_TOKEN) {
    throw new errors.InvalidRequest(`requested_token_type must be ${ACCESS_TOKEN}`);
  }
  // RFC 8693 §2.1: what we would not honour must not look as if we had.
  if (params.actor_token !== undefined) {
    throw new errors.InvalidRequest("actor_token is not supported");
  }
  return params.subject_token;
}

function requireOneTarget(ctx: TokenEndpointGrantContext<ExchangeParams>, resources: Resources) {
  const { resource, audience } = ctx.oidc.params;
  if (audience !== undefined) {
    throw new errors.InvalidTarget("name the target with 'resource', not 'audience'");
  }
  const named = Array.isArray(resource) ? resource : resource === undefined ? [] : [resource];
  const [only] = named;
  const api = only === undefined ? undefined : resources.apis.get(only);
  const isKnown = only !== undefined && (api !== undefined || isTriedServer(only));
  if (!isKnown || named.length !== 1) {
    throw new errors.InvalidTarget("resource must be exactly one API of the SaaS");
  }
  return { resource: only, api };
}

/** What was asked for, if the person may have all of it; everything allowed if nothing was. */
function grantedScope(requested: string | undefined, allowed: readonly string[]): string {
  const wanted = requested?.split(" ").filter((part) => part !== "") ?? [...allowed];
  const refused = wanted.filter((part) => !allowed.includes(part));
  if (refused.length > 0 || wanted.length === 0) {
    throw new errors.InvalidScope("this person may not have that scope here", refused.join(" "));
  }
  return [...new Set(wanted)].join(" ");
}
