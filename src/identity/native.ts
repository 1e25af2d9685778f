// doorless as a program on somebody's machine: a public client that signs its user in, through a
// browser that comes back to loopback (RFC 8252) or on another device (RFC 8628), and keeps her
// signed in. Who she is, is for the server to judge; here tokens are only fetched.
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  Configuration,
  customFetch,
  discovery,
  dynamicClientRegistration,
  initiateDeviceAuthorization,
  None,
  pollDeviceAuthorizationGrant,
  randomPKCECodeVerifier,
  randomState,
  refreshTokenGrant,
  ResponseBodyError,
  tokenRevocation,
} from "openid-client";
import type { DiscoveryRequestOptions, TokenEndpointResponse } from "openid-client";
import { isLoopback } from "../kernel/address.ts";
import { Secret } from "../kernel/secret.ts";
import { createGuardedFetch } from "./guarded-fetch.ts";
import { describe } from "./provider.ts";

const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";
const CLIENT = {
  client_name: "doorless",
  application_type: "native",
  token_endpoint_auth_method: "none",
  grant_types: ["authorization_code", "refresh_token", DEVICE_GRANT],
  response_types: ["code"],
  // RFC 8252 section 7.3: the port may differ with each sign-in.
  redirect_uris: ["http://127.0.0.1/callback"],
};

/** What a sign-in asks for: the agents' URLs, and the scopes that they need. */
export interface Wanted {
  readonly resources: readonly string[];
  readonly scopes: readonly string[];
}

export interface NativeTokens {
  readonly access_token: Secret;
  readonly refresh_token: Secret | undefined;
  readonly expires_ms: number;
  /** As the provider names the person, where it does. Nobody relies on it but the person. */
  readonly subject: string | undefined;
  readonly name: string | undefined;
}

/** The sign-in is over: the person must sign in again. */
export class SignInEnded extends Error {
  override readonly name = "SignInEnded";
}

/** The provider could not be asked, or does not offer this. */
export class SignInFailed extends Error {
  override readonly name = "SignInFailed";
}

interface DeviceWay {
  readonly user_code: string;
  readonly verification_uri: string;
  readonly verification_uri_complete: string | undefined;
  wait(): Promise<NativeTokens>;
}

export interface NativeClient {
  readonly client_id: string;
  depart(
    wanted: Wanted,
    redirect_uri: string,
  ): Promise<{ url: URL; state: string; verifier: string }>;
  arrive(arrived: URL, state: string, verifier: string, wanted: Wanted): Promise<NativeTokens>;
  device(wanted: Wanted): Promise<DeviceWay>;
  /** A token for one of the resources. Throws `SignInEnded` or `SignInFailed`. */
  refresh(
    refresh_token: Secret,
    resource: string,
    scopes: readonly string[],
  ): Promise<NativeTokens>;
  /** RFC 7009; does nothing where the provider has no such endpoint. */
  revoke(token: Secret): Promise<void>;
  close(): Promise<void>;
}

interface NativeOptions {
  /** An authorization server of any kind (RFC 8414), and not only an OpenID provider. */
  readonly any_kind?: boolean;
  /** Whether it may be in a private network: the company's own provider may. */
  readonly allow_private?: boolean;
  /** Where else its people come back to, if it has to be registered. */
  readonly callbacks?: readonly string[];
}

/** Discovers the issuer; registers (RFC 7591) where no client is named and the provider lets it. */
export async function openNativeClient(
  issuer: string,
  known_client: string | undefined,
  { any_kind = false, allow_private = true, callbacks = [] }: NativeOptions = {},
): Promise<NativeClient> {
  const guarded = createGuardedFetch(allow_private);
  const close = (): Promise<void> => guarded.close();
  const fetch = (url: string, init: object) => guarded.fetch(url, init);
  const insecure = issuer.startsWith("http:") && isLoopback(new URL(issuer).hostname);
  const plain = {
    [customFetch]: fetch,
    ...(insecure ? { execute: [allowInsecureRequests] } : {}),
  };
  try {
    const asked = new URL(issuer);
    const discover = async (options: DiscoveryRequestOptions) => {
      const client_id = known_client ?? "unregistered";
      return { options, found: await discovery(asked, client_id, undefined, None(), options) };
    };
    // RFC 8414 first; an OpenID provider may publish its own kind of metadata alone.
    const { options, found } = any_kind
      ? await discover({ ...plain, algorithm: "oauth2" }).catch(() => discover(plain))
      : await discover(plain);
    const client = { ...CLIENT, redirect_uris: [...CLIENT.redirect_uris, ...callbacks] };
    if (known_client !== undefined) return new Native(found, close);
    if (found.serverMetadata().registration_endpoint === undefined) {
      throw new SignInFailed(
        `${issuer} lets no program register itself: name a public client with --client-id, ` +
          'or as "native" of the issuer in the configuration',
      );
    }
    const made = await dynamicClientRegistration(asked, client, None(), options);
    const configuration = new Configuration(
      made.serverMetadata(),
      made.clientMetadata().client_id,
      { token_endpoint_auth_method: "none" },
      None(),
    );
    configuration[customFetch] = fetch;
    if (insecure) allowInsecureRequests(configuration);
    return new Native(configuration, close);
  } catch (error) {
    await guarded.close();
    throw error instanceof SignInFailed ? error : failed(error);
  }
}

class Native implements NativeClient {
  readonly close: () => Promise<void>;
  private readonly configuration: Configuration;

  constructor(configuration: Configuration, close: () => Promise<void>) {
    this.configuration = configuration;
    this.close = close;
  }

  get client_id(): string {
    return this.configuration.clientMetadata().client_id;
  }

  async depart(wanted: Wanted, redirect_uri: string) {
    const state = randomState();
    const verifier = randomPKCECodeVerifier();
    const parameters = this.parameters(wanted, wanted.resources);
    parameters.set("redirect_uri", redirect_uri);
    parameters.set("state", state);
    parameters.set("code_challenge", await calculatePKCECodeChallenge(verifier));
    parameters.set("code_challenge_method", "S256");
    return { url: buildAuthorizationUrl(this.configuration, parameters), state, verifier };
  }

  async arrive(arrived: URL, state: string, verifier: string, wanted: Wanted) {
    try {
      const checks = { expectedState: state, pkceCodeVerifier: verifier };
      const more = first(wanted);
      return read(await authorizationCodeGrant(this.configuration, arrived, checks, more));
    } catch (error) {
      throw failed(error);
    }
  }

  async device(wanted: Wanted): Promise<DeviceWay> {
    const { configuration } = this;
    try {
      const asked = this.parameters(wanted, wanted.resources);
      const begun = await initiateDeviceAuthorization(configuration, asked);
      const { user_code, verification_uri, verification_uri_complete } = begun;
      return {
        user_code,
        verification_uri,
        verification_uri_complete,
        async wait() {
          try {
            return read(await pollDeviceAuthorizationGrant(configuration, begun, first(wanted)));
          } catch (error) {
            throw failed(error);
          }
        },
      };
    } catch (error) {
      throw failed(error);
    }
  }

  async refresh(refresh_token: Secret, resource: string, scopes: readonly string[]) {
    const more = { resource, ...(scopes.length === 0 ? {} : { scope: scopes.join(" ") }) };
    try {
      return read(await refreshTokenGrant(this.configuration, refresh_token.reveal(), more));
    } catch (error) {
      if (error instanceof ResponseBodyError && error.error === "invalid_grant") {
        throw new SignInEnded("the provider has ended this sign-in", { cause: error });
      }
      throw failed(error);
    }
  }

  async revoke(token: Secret): Promise<void> {
    if (this.configuration.serverMetadata().revocation_endpoint === undefined) return;
    await tokenRevocation(this.configuration, token.reveal());
  }

  private parameters(wanted: Wanted, resources: readonly string[]): URLSearchParams {
    const offered = this.configuration.serverMetadata().scopes_supported ?? [];
    const extra = ["openid", "profile", "offline_access"].filter((one) => offered.includes(one));
    const parameters = new URLSearchParams();
    const scope = [...new Set([...wanted.scopes, ...extra])].join(" ");
    if (scope !== "") parameters.set("scope", scope);
    // OpenID Connect Core section 11: offline access is given where consent is asked for.
    if (extra.includes("offline_access")) parameters.set("prompt", "consent");
    for (const resource of resources) parameters.append("resource", resource);
    return parameters;
  }
}

// RFC 8707 section 2.2: a token is for one of the resources that were allowed.
function first({ resources }: Wanted): Record<string, string> {
  const [resource] = resources;
  return resource === undefined ? {} : { resource };
}

function read(answer: TokenEndpointResponse): NativeTokens {
  const { claims } = answer as { claims?: () => Record<string, unknown> | undefined };
  const about = claims?.call(answer);
  const text = (value: unknown) => (typeof value === "string" ? value : undefined);
  const { access_token, refresh_token, expires_in = 60 } = answer;
  return {
    access_token: new Secret(access_token),
    refresh_token: refresh_token === undefined ? undefined : new Secret(refresh_token),
    expires_ms: Date.now() + expires_in * 1000,
    subject: text(about?.["sub"]),
    name: text(about?.["name"]) ?? text(about?.["preferred_username"]),
  };
}

function failed(error: unknown): SignInFailed {
  return new SignInFailed(describe(error), { cause: error });
}
