// A person proves to a page who she is: OpenID Connect with code and PKCE at the issuer that her
// agents' tokens come from, so that the two subjects can be compared.
// @see [OpenID Connect Core section 3.1](https://openid.net/specs/openid-connect-core-1_0.html)
import {
  allowInsecureRequests,
  AuthorizationResponseError,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  ClientSecretPost,
  Configuration,
  customFetch,
  enableNonRepudiationChecks,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from "openid-client";
import type { Config } from "../config/load.ts";
import { refusal } from "../kernel/errors.ts";
import type { Principal } from "../kernel/principal.ts";
import { no, ok } from "../kernel/result.ts";
import type { Result } from "../kernel/result.ts";
import { principalOf } from "./claims.ts";
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
  const issuers = [...config.client_secrets.keys()];
  const configure = async (issuer_name: string) => {
    const provider = providers.get(issuer_name);
    const secret = config.client_secrets.get(issuer_name);
    const client_id = provider?.config.client?.client_id;
    if (provider === undefined || secret === undefined || client_id === undefined) {
      throw new RangeError(`nobody signs in at ${issuer_name}`);
    }
    const auth = ClientSecretPost(secret.reveal());
    const made = new Configuration(await provider.metadata(), client_id, undefined, auth);
    made[customFetch] = (url, init) => provider.fetch(url, init);
    if (provider.insecure) allowInsecureRequests(made);
    // The ID token's signature is checked, not only the channel that it came by.
    enableNonRepudiationChecks(made);
    return { made, provider };
  };
  return {
    issuers,
    async depart(issuer_name, redirect_uri, again) {
      try {
        const { made } = await configure(issuer_name);
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
        const { made, provider } = await configure(way.issuer_name);
        const answer = await authorizationCodeGrant(made, arrived, {
          expectedState: way.state,
          expectedNonce: way.nonce,
          pkceCodeVerifier: way.verifier,
          idTokenExpected: true,
        });
        const mapped = principalOf({ ...answer.claims() }, provider.config);
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
