// The tools of a remote MCP server, as somebody who imports them sees them: without a credential
// where the server lets one, else with that person's own token, which is used for this and no more.
import { createGuardedFetch } from "../identity/guarded-fetch.ts";
import { openNativeClient, SignInFailed } from "../identity/native.ts";
import { protectionOf } from "../identity/protected-resource.ts";
import type { Protection } from "../identity/protected-resource.ts";
import { originIn } from "../config/connector.ts";
import type { Config } from "../config/load.ts";
import { withSandboxOffline } from "../console/house.ts";
import type { UpstreamDefinition, UpstreamEndpoint } from "../contract/upstream.ts";
import { systemClock } from "../kernel/clock.ts";
import { isLoopback } from "../kernel/address.ts";
import { own } from "../kernel/own.ts";
import { Secret } from "../kernel/secret.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { openHttpWay } from "../sandbox/upstream/http.ts";
import { listOnce, unlistedWhy } from "../sandbox/upstream/upstreams.ts";
import type { UpstreamAnswer, UpstreamWay } from "../sandbox/upstream/upstream.ts";
import { VERSION } from "../kernel/version.ts";
import { inBrowser } from "./login.ts";
import { EXIT, note, Stop } from "./output.ts";

/** The variable with the importing person's own token for the server. */
export const TOKEN_VARIABLE = "DOORLESS_UPSTREAM_TOKEN";
const NEVER = new AbortController().signal;

export interface Listing {
  readonly tools: readonly UpstreamDefinition[];
  /** What the server wants of its callers; nothing where it wants nothing. */
  readonly protection: Protection | undefined;
  /** The client that doorless was registered as, where it had to be. */
  readonly client_id: string | undefined;
}

/** What a configured server lists, and where it was asked. */
export interface Asked {
  readonly endpoint: UpstreamEndpoint;
  readonly tools: readonly UpstreamDefinition[];
}

export interface ListingOptions {
  readonly allow_private: boolean;
  readonly client_id: string | undefined;
  /** Where people come back to from the authorization server, once this is configured. */
  readonly callback: string | undefined;
  readonly no_browser: boolean;
}

/**
 * The tools of a configured server, for `contracts`: with the token of the variable, if there, and
 * if of all that are asked this is the only one that it can be for.
 */
export function listConfigured(
  config: Config,
  name: string,
  all: readonly string[],
): Promise<Asked | Unlisted> {
  const connector = own(config.connectors, name);
  const remote = connector === undefined ? undefined : openHttpWay(connector, VERSION);
  const isRemote = (one: string): boolean => originIn(config, one) !== undefined;
  const token = all.filter(isRemote).length > 1 ? undefined : tokenGiven();
  if (remote !== undefined) return listAt(remote, token);
  const asked = async (sandbox: Sandbox | undefined): Promise<Asked | Unlisted> => {
    const local = sandbox?.servers.get(name);
    if (local !== undefined) return listAt(local, undefined);
    return { why: "the configuration does not name its MCP server" };
  };
  return withSandboxOffline(config, asked, { servers: true });
}

interface Unlisted {
  readonly why: string;
}

async function listAt(way: UpstreamWay, token: Secret | undefined): Promise<Asked | Unlisted> {
  const listed = await listOnce(way, { token, signal: NEVER, clock: systemClock });
  await way.close();
  if (listed.ok) return { endpoint: way.endpoint, tools: listed.value };
  const { why, closed } = unlistedWhy(listed.refusal);
  const mend = `put one of yours into ${TOKEN_VARIABLE}, and name this server's tools alone`;
  return { why: closed ? `${why}: ${mend}` : why };
}

function tokenGiven(): Secret | undefined {
  const given = process.env[TOKEN_VARIABLE];
  return given === undefined || given === "" ? undefined : new Secret(given);
}

/** Throws `Stop` where they cannot be had. */
export async function listRemote(url: URL, options: ListingOptions): Promise<Listing> {
  const allow_private = options.allow_private || isLoopback(url.hostname);
  const token = tokenGiven();
  const first = await list(url, allow_private, token);
  const nothing = { protection: undefined, client_id: undefined };
  if (first.ok && token === undefined) return { tools: first.value, ...nothing };
  if (!first.ok && first.refusal.details?.["status"] !== 401) throw unreachable(url, first);
  const protection = await protectionAt(url, allow_private);
  if (first.ok) return { tools: first.value, protection, client_id: undefined };
  if (token !== undefined) {
    throw new Stop(EXIT.sign_in, `${url.href} does not take the token in ${TOKEN_VARIABLE}`);
  }
  if (protection === undefined) throw new Stop(EXIT.sign_in, `${url.href} wants a token`);
  return signedIn(url, protection, { ...options, allow_private });
}

async function list(url: URL, allow_private: boolean, token: Secret | undefined) {
  const way = openHttpWay(
    {
      mcp: { url: url.href, check_s: 60 },
      allow_private_addresses: allow_private,
      delegation: { kind: "exchange", resource: url.href, extra_scopes: [] },
    },
    VERSION,
  );
  if (way === undefined) throw new Error("no way to an MCP server");
  try {
    return await listOnce(way, { token, signal: NEVER, clock: systemClock });
  } finally {
    await way.close();
  }
}

function unreachable(url: URL, answer: UpstreamAnswer<unknown>): Stop {
  const why = answer.ok ? "" : unlistedWhy(answer.refusal).why;
  return new Stop(EXIT.unreachable, `${url.href}: ${why}`);
}

async function protectionAt(url: URL, allow_private: boolean): Promise<Protection | undefined> {
  const guarded = createGuardedFetch(allow_private);
  try {
    return await protectionOf(url, guarded);
  } catch (error) {
    note(`${url.href}: ${(error as Error).message}`);
    return undefined;
  } finally {
    await guarded.close();
  }
}

// The person's own sign-in, as any MCP client does it: a code on loopback, for this one resource.
async function signedIn(
  url: URL,
  protection: Protection,
  options: ListingOptions,
): Promise<Listing> {
  const [issuer = ""] = protection.issuers;
  const { scopes, resource } = protection;
  note(`${url.href} wants a token of ${issuer}: you sign in there, and it is used for this alone`);
  try {
    const client = await openNativeClient(issuer, options.client_id, {
      any_kind: true,
      allow_private: options.allow_private,
      callbacks: options.callback === undefined ? [] : [options.callback],
    });
    try {
      const wanted = { resources: [resource], scopes };
      const { access_token, refresh_token } = await inBrowser(client, wanted, options.no_browser);
      const answer = await list(url, options.allow_private, access_token);
      // RFC 7009 section 2.1: the one may leave the other as it is.
      for (const one of [refresh_token, access_token]) {
        if (one !== undefined) await client.revoke(one).catch(() => undefined);
      }
      if (!answer.ok) throw unreachable(url, answer);
      return { tools: answer.value, protection, client_id: client.client_id };
    } finally {
      await client.close();
    }
  } catch (error) {
    if (!(error instanceof SignInFailed)) throw error;
    const mend = `put a token of yours into ${TOKEN_VARIABLE}, or name a client with --client-id`;
    throw new Stop(
      EXIT.sign_in,
      `the sign-in at ${issuer} did not work: ${error.message}\n${mend}`,
    );
  }
}
