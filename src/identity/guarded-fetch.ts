// The client for identity traffic (discovery, JWKS, token, introspection), guarded like the broker:
// bounded in time and bytes, no redirects, no special addresses unless the operator listed them.
import { Agent, fetch as undiciFetch } from "undici";
import type { RequestInit as UndiciRequestInit } from "undici";
import { assertHost, guardedLookup } from "../kernel/address.ts";

export interface FetchBounds {
  readonly timeout_ms: number;
  readonly response_bytes_max: number;
}

const BOUNDS: FetchBounds = { timeout_ms: 8000, response_bytes_max: 1_048_576 };

export interface GuardedFetch {
  fetch(url: string, init?: object): Promise<Response>;
  close(): Promise<void>;
}

export function createGuardedFetch(
  allow_private: boolean,
  { timeout_ms, response_bytes_max }: FetchBounds = BOUNDS,
): GuardedFetch {
  const dispatcher = new Agent({
    connect: { lookup: guardedLookup(allow_private), timeout: timeout_ms },
    headersTimeout: timeout_ms,
    bodyTimeout: timeout_ms,
    maxResponseSize: response_bytes_max,
    connections: 32,
  });
  return {
    async fetch(url, init = {}) {
      const { protocol, hostname } = new URL(url);
      // fetch also reads data: and blob:, which come from nowhere that was checked.
      if (!/^https?:$/.test(protocol)) throw new TypeError(`${protocol} is not to be fetched`);
      assertHost(hostname, allow_private);
      return undiciFetch(url, {
        ...(init as UndiciRequestInit),
        dispatcher,
        redirect: "error",
        signal: AbortSignal.timeout(timeout_ms),
      });
    },
    close: () => dispatcher.destroy(),
  };
}
