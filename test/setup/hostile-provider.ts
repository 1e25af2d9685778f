// An identity provider of the test's own, with its own keys: every endpoint can misbehave.
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import type { CryptoKey, JWK, JWTHeaderParameters, JWTPayload } from "jose";
import { openPeer } from "./hostile-peer.ts";
import type { Peer } from "./hostile-peer.ts";

const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";

export type Claims = Record<string, unknown>;
/** Takes an endpoint over. */
export type Behaviour = (
  req: IncomingMessage,
  res: ServerResponse,
  /** What came in the body, where the endpoint takes a form. */
  form?: URLSearchParams,
) => unknown;

export interface SigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly private_key: CryptoKey;
  readonly jwk: JWK;
}

export async function newKey(kid: string, alg = "ES256"): Promise<SigningKey> {
  const pair = await generateKeyPair(alg, { extractable: true });
  const jwk = { ...(await exportJWK(pair.publicKey)), kid, alg, use: "sig" };
  return { kid, alg, private_key: pair.privateKey, jwk };
}

type Endpoint = "discovery" | "jwks" | "token" | "introspection" | "revocation";

export interface HostileProvider extends Peer {
  readonly issuer: string;
  key: SigningKey;
  /** The published keys; the signing key alone unless a test says otherwise. */
  jwks: unknown;
  /** What a test replaces; `undefined` is the honest answer. */
  on: { [endpoint in Endpoint]?: Behaviour };
  /** Requests per endpoint. */
  readonly hits: Record<Endpoint, number>;
  /** The forms that the token endpoint received. */
  readonly forms: URLSearchParams[];
  /** What introspection says, beyond what it finds in the token. */
  introspected: Claims;
  /** The next form that an endpoint receives. */
  next(endpoint: Endpoint): Promise<URLSearchParams>;
  /** Changes what the honest token endpoint issues. */
  issue: { claims?: Claims; answer?: Claims; header?: Partial<JWTHeaderParameters> };
  sign(claims: Claims, header?: Partial<JWTHeaderParameters>, key?: SigningKey): Promise<string>;
  /** Honest again: every switch is off. */
  behave(): void;
}

export function nowS(): number {
  return Math.floor(Date.now() / 1000);
}

export async function openProvider(): Promise<HostileProvider> {
  const first = await newKey("key-1");
  const peer = await openPeer();
  const waiting = new Map<string, (form: URLSearchParams) => void>();
  const provider: HostileProvider = Object.assign(peer, {
    issuer: peer.origin,
    key: first,
    jwks: { keys: [first.jwk] },
    on: {},
    hits: { discovery: 0, jwks: 0, token: 0, introspection: 0, revocation: 0 },
    introspected: {},
    next: (endpoint: Endpoint) =>
      new Promise<URLSearchParams>((resolve) => void waiting.set(endpoint, resolve)),
    forms: [] as URLSearchParams[],
    issue: {},
    async sign(claims: Claims, header = {}, key = provider.key): Promise<string> {
      return new SignJWT(claims as JWTPayload)
        .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: "at+jwt", ...header })
        .sign(key.private_key);
    },
    behave(): void {
      provider.on = {};
      provider.issue = {};
      provider.introspected = {};
      provider.key = first;
      provider.jwks = { keys: [first.jwk] };
    },
  });
  peer.serve((req, res) => answer(provider, req, res, waiting));
  return provider;
}

async function answer(
  provider: HostileProvider,
  req: IncomingMessage,
  res: ServerResponse,
  waiting: Map<string, (form: URLSearchParams) => void>,
): Promise<void> {
  const { hits, on } = provider;
  const path = req.url ?? "/";
  if (path.startsWith("/.well-known/")) {
    hits.discovery++;
    return void (on.discovery === undefined
      ? json(res, 200, discovery(provider))
      : await on.discovery(req, res));
  }
  if (path === "/jwks") {
    hits.jwks++;
    return void (on.jwks === undefined ? json(res, 200, provider.jwks) : await on.jwks(req, res));
  }
  const [, endpoint] = /^\/(token|introspection|revocation)$/.exec(path) ?? [];
  if (endpoint === undefined) return json(res, 404, {});
  const asked = endpoint as "token" | "introspection" | "revocation";
  hits[asked]++;
  const form = new URLSearchParams(await text(req));
  if (asked === "token") provider.forms.push(form);
  waiting.get(asked)?.(form);
  waiting.delete(asked);
  const behaviour = on[asked];
  if (behaviour !== undefined) return void (await behaviour(req, res, form));
  if (asked === "token") return json(res, 200, await exchanged(provider, form));
  json(res, 200, asked === "revocation" ? {} : introspected(provider, form));
}

/** RFC 7662 section 2.2. */
function introspected(provider: HostileProvider, form: URLSearchParams): Claims {
  const [, payload = ""] = (form.get("token") ?? "").split(".");
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as Claims;
  return { active: true, ...claims, ...provider.introspected };
}

export function json(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { "content-type": "application/json" });
  res.end(JSON.stringify(body));
}

/** An honest metadata document. */
export function discovery({ issuer }: { issuer: string }): Claims {
  return {
    issuer,
    authorization_endpoint: `${issuer}/auth`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/jwks`,
    introspection_endpoint: `${issuer}/introspection`,
    revocation_endpoint: `${issuer}/revocation`,
    response_types_supported: ["code"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["ES256"],
    grant_types_supported: ["urn:ietf:params:oauth:grant-type:token-exchange"],
  };
}

/** RFC 8693 section 2.2.1, as an honest provider answers, with the test's changes. */
async function exchanged(provider: HostileProvider, form: URLSearchParams): Promise<Claims> {
  const [, payload = ""] = (form.get("subject_token") ?? "").split(".");
  const subject = JSON.parse(Buffer.from(payload, "base64url").toString()) as Claims;
  const claims = {
    iss: provider.issuer,
    sub: subject["sub"],
    aud: form.get("resource"),
    scope: form.get("scope"),
    client_id: form.get("client_id"),
    iat: nowS(),
    exp: nowS() + 300,
    jti: randomUUID(),
    ...provider.issue.claims,
  };
  return {
    access_token: await provider.sign(defined(claims), provider.issue.header),
    token_type: "Bearer",
    issued_token_type: ACCESS_TOKEN,
    expires_in: 300,
    ...provider.issue.answer,
  };
}

/** The same without what is `undefined`: how a test takes a claim away. */
export function defined(claims: Claims): Claims {
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
}
