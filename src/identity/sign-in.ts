// A person proves to a page who she is: OpenID Connect with code and PKCE at the issuer that her
// agents' tokens come from, so that the two subjects can be compared.
// @see [OpenID Connect Core section 3.1](https://openid.net/specs/openid-connect-core-1_0.html)
import {
  AuthorizationResponseError,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  enableNonRepudiationChecks,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from "openid-client";
import type { Configuration } from "openid-client";
import type { Config } from "../config/load.ts";
import type { IssuerConfig } from "../config/schema.ts";
import { refusal } from "../kernel/errors.ts";
import type { Principal } from "../kernel/principal.ts";
import { no, ok } from "../kernel/result.ts";
import type { Result } from "../kernel/result.ts";
import { principalOf } from "./claims.ts";
import { createClient } from "./client.ts";
import type { ClientOf } from "./client.ts";
import { describe } from "./provider.ts";
import type { Provider } from "./provider.ts";

/** What must come back with the person; whoever holds it is taken for her browser. */
export interface SignInWay {
  readonly issuer_name: string;
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

export interface SignIn {
  /** The issuers at which somebody can sign in here, by their configured names. */
  readonly issuers: readonly string[];
  /** `again`: ask who it is, even where the provider believes to know. */
  depart(
    issuer_name: string,
    redirect_uri: string,
    again: boolean,
  ): Promise<Result<{ readonly url: URL; readonly way: SignInWay }>>;
  /** `arrived`: the whole URL that the browser came back to. */
  arrive(arrived: URL, way: SignInWay): Promise<Result<Principal>>;
}

export function createSignIn(config: Config, providers: ReadonlyMap<string, Provider>): SignIn {
  const clients = new Map<string, ClientOf>();
  for (const [name, secret] of config.client_secrets) {
    const provider = providers.get(name);
    const client_id = provider?.config.client?.client_id;
    if (provider === undefined || client_id === undefined) continue;
    clients.set(name, createClient(provider, client_id, secret));
  }
  const issuerOf = (name: string): IssuerConfig => {
    const issuer = config.issuers[name];
    if (issuer === undefined) throw new RangeError(`no issuer ${name}`);
    return issuer;
  };
  const clientOf = async (issuer_name: string): Promise<Configuration> => {
    const client = clients.get(issuer_name);
    if (client === undefined) throw new RangeError(`nobody signs in at ${issuer_name}`);
    const configuration = await client();
    // The ID token's signature is checked, not only the channel that it came by.
    enableNonRepudiationChecks(configuration);
    return configuration;
  };
  return {
    issuers: [...clients.keys()],
    async depart(issuer_name, redirect_uri, again) {
      try {
        const made = await clientOf(issuer_name);
        const verifier = randomPKCECodeVerifier();
        const way = { issuer_name, state: randomState(), nonce: randomNonce(), verifier };
        const url = buildAuthorizationUrl(made, {
          scope: "openid profile",
          redirect_uri,
          state: way.state,
          nonce: way.nonce,
          code_challenge: await calculatePKCECodeChallenge(verifier),
          code_challenge_method: "S256",
          ...(again ? { prompt: "login" } : {}),
        });
        return ok({ url, way });
      } catch (error) {
        return no(refusal("identity_unavailable", { cause: describe(error) }));
      }
    },
    async arrive(arrived, way) {
      try {
        const made = await clientOf(way.issuer_name);
        const answer = await authorizationCodeGrant(made, arrived, {
          expectedState: way.state,
          expectedNonce: way.nonce,
          pkceCodeVerifier: way.verifier,
          idTokenExpected: true,
        });
        const mapped = principalOf({ ...answer.claims() }, issuerOf(way.issuer_name));
        if (mapped.ok) return ok(mapped.principal);
        return no(refusal("invalid_token", { reason: `Refused: ${mapped.why}.` }));
      } catch (error) {
        const said = error instanceof AuthorizationResponseError;
        const code = said ? "invalid_token" : "identity_unavailable";
        return no(refusal(code, { cause: describe(error) }));
      }
    },
  };
}
