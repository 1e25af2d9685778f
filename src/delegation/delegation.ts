// Delegation: the downstream token that belongs to this user for this API, or a refusal that says
// what the user can do. There is no third way in here: every token begins with a human's.
import type { Config } from "../config/load.ts";
import type { Clock } from "../kernel/clock.ts";
import { digestOf } from "../kernel/ids.ts";
import { refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import type { Credential } from "../kernel/principal.ts";
import { no } from "../kernel/result.ts";
import type { Result } from "../kernel/result.ts";
import type { Provider } from "../identity/provider.ts";
import { createExchanger } from "./exchange.ts";
import { HeldTokens } from "./held-tokens.ts";
import type { IsTheirs } from "./held-tokens.ts";
import type { Exchanger } from "./exchange.ts";
import type { Connections } from "./connections.ts";
import type { DownstreamToken } from "./token.ts";

const TOKENS_MAX = 10_000;

/** An exchange under way. `dropped`: its user's access ended meanwhile. */
interface Exchanging {
  readonly credential: Credential;
  readonly result: Promise<Result<DownstreamToken>>;
  dropped: boolean;
}

export interface Delegation {
  /** This user's token for this connector with exactly these scopes. */
  token(
    credential: Credential,
    connector: string,
    scopes: readonly string[],
  ): Promise<Result<DownstreamToken>>;
  /**
   * Their access has ended: forgets their tokens at once, then takes them back at the provider
   * (RFC 7009), also those that are on their way. Resolves with how many were kept; rejects with
   * the first that could not be revoked.
   */
  drop(isTheirs: IsTheirs): Promise<number>;
  /**
   * Whether the provider would still give this user a token for `connector`; the one it gives is
   * thrown away. Nothing, `invalid_token`, or `identity_unavailable`.
   */
  probe(
    credential: Credential,
    connector: string,
    scopes: readonly string[],
  ): Promise<Refusal | undefined>;
}

export function createDelegation(
  config: Config,
  providers: ReadonlyMap<string, Provider>,
  connections: Connections,
  clock: Clock,
): Delegation {
  const exchangers = createExchangers(config, providers);
  const held = new HeldTokens(TOKENS_MAX, clock);
  // Concurrent calls of one session share one exchange.
  const running = new Map<string, Exchanging>();

  return {
    async token(credential, connector, scopes) {
      const to = config.connectors[connector]?.delegation;
      if (to === undefined) throw new RangeError(`no connector ${connector}`);
      if (to.kind !== "exchange") return connections.token(credential, connector, scopes);
      const exchanger = exchangers.get(credential.issuer_name);
      if (exchanger === undefined) {
        const cause = `issuer ${credential.issuer_name} has no client in the configuration`;
        return no(refusal("delegation_refused", { cause }));
      }
      const key = digestOf(credential.token_digest, connector, ...scopes);
      const kept = held.get(key);
      if (kept !== undefined) return { ok: true, value: kept };
      const already = running.get(key);
      if (already !== undefined) return already.result;
      const result = exchanger.exchange(credential, to, scopes, clock.now());
      const mine: Exchanging = { credential, result, dropped: false };
      running.set(key, mine);
      try {
        const got = await result;
        const { reuse_ms_max } = config.delegation;
        if (got.ok && !mine.dropped) held.set(key, got.value, credential, reuse_ms_max);
        return got;
      } finally {
        running.delete(key);
      }
    },
    async probe(credential, connector, scopes) {
      const to = config.connectors[connector]?.delegation;
      const exchanger = exchangers.get(credential.issuer_name);
      if (to?.kind !== "exchange" || exchanger === undefined) throw new RangeError(connector);
      const result = await exchanger.exchange(credential, to, scopes, clock.now());
      return result.ok ? undefined : probed(result.refusal);
    },
    async drop(isTheirs) {
      const dropped = held.drop(isTheirs);
      const revoke = async (token: DownstreamToken, { issuer_name }: Credential) =>
        exchangers.get(issuer_name)?.revoke(token);
      const coming = [...running.values()].filter(({ credential }) => isTheirs(credential));
      const revoked = [
        ...dropped.map(({ token, credential }) => revoke(token, credential)),
        ...coming.map(async (one) => {
          one.dropped = true;
          const got = await one.result;
          if (got.ok) await revoke(got.value, one.credential);
        }),
      ];
      await Promise.all(revoked);
      return dropped.length;
    },
  };
}

// Only "this grant is over" is about the user; a provider that says anything else said nothing.
function probed({ code, cause = code }: Refusal): Refusal {
  if (code === "reauth_required") {
    return refusal("invalid_token", {
      reason: "Refused: it has ended, or was revoked.",
      cause,
    });
  }
  return refusal("identity_unavailable", { retry_after_ms: 1000, cause });
}

function createExchangers(
  config: Config,
  providers: ReadonlyMap<string, Provider>,
): ReadonlyMap<string, Exchanger> {
  const exchangers = new Map<string, Exchanger>();
  for (const [name, provider] of providers) {
    const { client } = provider.config;
    const secret = config.client_secrets.get(name);
    if (client === undefined || secret === undefined) continue;
    exchangers.set(name, createExchanger(provider, client.client_id, secret));
  }
  return exchangers;
}
