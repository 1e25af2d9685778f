// The client for identity traffic (discovery, JWKS, token, introspection), guarded like the broker:
// bounded in time and bytes, no redirects, no special addresses unless the operator listed them.
import { Agent, fetch as undiciFetch } from "undici";
import type { RequestInit as UndiciRequestInit } from "undici";
import { assertHost, guardedLookup } from "../kernel/address.ts";

const TIMEOUT_MS = 8000;
const RESPONSE_BYTES_MAX = 1_048_576;

export interface GuardedFetch {
  fetch(url: string, init?: object): Promise<Response>;
  close(): Promise<void>;
}

export function createGuardedFetch(allow_private: boolean): GuardedFetch {
  const dispatcher = new Agent({
    connect: { lookup: guardedLookup(allow_private), timeout: TIMEOUT_MS },
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
    maxResponseSize: RESPONSE_BYTES_MAX,
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
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    },
    close: () => dispatcher.destroy(),
  };
}
