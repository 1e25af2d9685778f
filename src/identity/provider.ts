// One identity provider: its metadata and its keys, asked for when first needed and kept.
import { createRemoteJWKSet, customFetch as joseFetch, errors } from "jose";
import type { JWTVerifyGetKey } from "jose";
import { allowInsecureRequests, customFetch, discovery } from "openid-client";
import type { ServerMetadata } from "openid-client";
import { assertHost, isLoopback } from "../kernel/address.ts";
import type { Clock } from "../kernel/clock.ts";
import type { IssuerConfig } from "../config/schema.ts";
import { createGuardedFetch } from "./guarded-fetch.ts";

// A key published just after a fetch is refused for this long; jose's own default is 30 s.
const JWKS_COOLDOWN_MS = 5000;
const JWKS_AGE_MAX_MS = 300_000;
const DISCOVERY_RETRY_MS = 1000;
// A provider that moves an endpoint is followed within minutes, without a restart.
const METADATA_AGE_MAX_MS = 600_000;

/** The provider could not be asked: nobody knows who this is, so nobody comes in. */
class ProviderUnavailable extends Error {
  override readonly name = "ProviderUnavailable";
}

/** Finds the key of a JWT; `coolingDown` where the keys were fetched too lately to ask again. */
type Keys = JWTVerifyGetKey & { readonly coolingDown: boolean };

export interface Provider {
  readonly name: string;
  readonly config: IssuerConfig;
  readonly insecure: boolean;
  /** RFC 8414 metadata, its issuer verified. Throws `ProviderUnavailable`. */
  metadata(): Promise<ServerMetadata>;
  keys(): Promise<Keys>;
  fetch(url: string, init?: object): Promise<Response>;
  close(): Promise<void>;
}

export interface ProviderOptions {
  readonly clock: Clock;
  /** The demo runs its own provider; `start` refuses it, whatever the file says. */
  readonly allow_demo: boolean;
}

export function createProvider(
  name: string,
  config: IssuerConfig,
  options: ProviderOptions,
): Provider {
  const guarded = createGuardedFetch(config.allow_private_addresses);
  // RFC 8414 section 2 demands https; plain http only ever on loopback (the config checked it).
  const insecure = isLoopback(new URL(config.issuer).hostname) && config.issuer.startsWith("http:");
  let known: Promise<ServerMetadata> | undefined;
  let known_since_ms = 0;
  let failed_at_ms = Number.NEGATIVE_INFINITY;
  let keys: { uri: string; get: Keys } | undefined;

  const discover = async (): Promise<ServerMetadata> => {
    const found = await discovery(new URL(config.issuer), "doorless", undefined, undefined, {
      [customFetch]: (url, init) => guarded.fetch(url, init),
      ...(insecure ? { execute: [allowInsecureRequests] } : {}),
    });
    const metadata = found.serverMetadata();
    if (metadata["doorless_demo"] === true && !options.allow_demo) {
      throw new Error("this is the demo's provider, which signs anybody in; start refuses it");
    }
    // What is kept must be of use: a document without keys would be kept until a restart.
    assertKeysUrl(metadata.jwks_uri, insecure, config.allow_private_addresses);
    return metadata;
  };

  const metadata = async (): Promise<ServerMetadata> => {
    const now_ms = options.clock.monotonic();
    if (now_ms - known_since_ms > METADATA_AGE_MAX_MS) known = undefined;
    if (known === undefined) {
      if (now_ms - failed_at_ms < DISCOVERY_RETRY_MS) {
        throw new ProviderUnavailable(`${name}: discovery failed a moment ago`);
      }
      known = discover();
      known_since_ms = now_ms;
    }
    try {
      return await known;
    } catch (error) {
      known = undefined;
      failed_at_ms = options.clock.monotonic();
      throw new ProviderUnavailable(`${name}: ${describe(error)}`);
    }
  };

  return {
    name,
    config,
    insecure,
    metadata,
    async keys() {
      const { jwks_uri } = await metadata();
      if (jwks_uri === undefined) throw new ProviderUnavailable(`${name}: no jwks_uri`);
      if (keys?.uri !== jwks_uri) {
        const get = createRemoteJWKSet(new URL(jwks_uri), {
          cooldownDuration: JWKS_COOLDOWN_MS,
          cacheMaxAge: JWKS_AGE_MAX_MS,
          [joseFetch]: (url: string, init: object) => guarded.fetch(url, init),
        });
        keys = { uri: jwks_uri, get };
      }
      return keys.get;
    },
    fetch: (url, init) => guarded.fetch(url, init),
    close: () => guarded.close(),
  };
}

function assertKeysUrl(uri: string | undefined, insecure: boolean, allow_private: boolean): void {
  const url = URL.parse(uri ?? "");
  const isWeb = url?.protocol === "https:" || (insecure && url?.protocol === "http:");
  if (url === null || !isWeb) throw new Error("its jwks_uri is not one to ask");
  assertHost(url.hostname, allow_private);
}

/** Whatever is not the token's own fault is the provider's: never an accusation of the user. */
export function isProviderFault(error: unknown): boolean {
  if (error instanceof ProviderUnavailable) return true;
  if (!(error instanceof errors.JOSEError)) return true;
  return [
    errors.JWKSTimeout.code,
    errors.JWKSInvalid.code,
    errors.JOSEError.code, // "Expected 200 OK from the JSON Web Key Set HTTP response"
  ].includes(error.code);
}

/** An error and what caused it, in one line for the operator's log. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return "unknown error";
  const cause = error.cause instanceof Error ? `: ${describe(error.cause)}` : "";
  return `${error.message}${cause}`;
}
