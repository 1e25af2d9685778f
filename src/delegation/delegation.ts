// Delegation: the downstream token that belongs to this user for this API, or a refusal that says
// what the user can do. There is no third way in here: every token begins with a human's.
import type { Config } from "../config/load.ts";
import type { Clock } from "../kernel/clock.ts";
import { digestOf } from "../kernel/ids.ts";
import { refusal } from "../kernel/errors.ts";
import type { Credential } from "../kernel/principal.ts";
import { no } from "../kernel/result.ts";
import type { Result } from "../kernel/result.ts";
import { createCache } from "../store/cache.ts";
import type { Provider } from "../identity/provider.ts";
import { createExchanger } from "./exchange.ts";
import type { DownstreamToken, Exchanger } from "./exchange.ts";

const TOKENS_MAX = 10_000;
const EXPIRY_MARGIN_MS = 10_000;

export interface Delegation {
  /** This user's token for this connector with exactly these scopes. */
  token(
    credential: Credential,
    connector: string,
    scopes: readonly string[],
  ): Promise<Result<DownstreamToken>>;
}

export function createDelegation(
  config: Config,
  providers: ReadonlyMap<string, Provider>,
  clock: Clock,
): Delegation {
  const exchangers = createExchangers(config, providers);
  const cache = createCache<DownstreamToken>(TOKENS_MAX);
  // Concurrent calls of one session share one exchange.
  const running = new Map<string, Promise<Result<DownstreamToken>>>();

  return {
    async token(credential, connector, scopes) {
      const to = config.connectors[connector]?.delegation;
      if (to === undefined) throw new RangeError(`no connector ${connector}`);
      if (to.kind === "connection") {
        const reason = `Connect an account for ${connector} first.`;
        return no(refusal("connection_required", { reason, details: { connector } }));
      }
      const exchanger = exchangers.get(credential.issuer_name);
      if (exchanger === undefined) {
        const cause = `issuer ${credential.issuer_name} has no client in the configuration`;
        return no(refusal("delegation_refused", { cause }));
      }
      const key = digestOf(credential.proof.digest(), connector, ...scopes);
      const kept = await cache.get(key);
      if (kept !== undefined && kept.expires_at_ms - clock.now() > EXPIRY_MARGIN_MS) {
        return { ok: true, value: kept };
      }
      const already = running.get(key);
      if (already !== undefined) return already;
      const exchange = exchanger.exchange(credential, to, scopes, clock.now());
      running.set(key, exchange);
      try {
        const result = await exchange;
        if (result.ok) await cache.set(key, result.value, config.delegation.reuse_ms_max);
        return result;
      } finally {
        running.delete(key);
      }
    },
  };
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
