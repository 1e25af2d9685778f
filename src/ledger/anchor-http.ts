// An anchor that posts each checkpoint to a URL: a collector, a bucket's gateway, another site.
import type { Secret } from "../kernel/secret.ts";
import type { Anchor } from "./anchor.ts";

export interface HttpAnchorOptions {
  readonly url: string;
  readonly timeout_ms?: number;
  /** The whole value of the Authorization header. */
  readonly authorization?: Secret;
}

const TIMEOUT_MS = 10_000;

/** The note is the body, as it is. Only a 2xx is a yes; a redirect is a no. */
export function createHttpAnchor(options: HttpAnchorOptions): Anchor {
  const { timeout_ms = TIMEOUT_MS, authorization } = options;
  const url = new URL(options.url);
  if (!/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
    throw new TypeError("an HTTP anchor is an http(s) URL without credentials in it");
  }
  const headers: Record<string, string> = { "content-type": "text/plain; charset=utf-8" };
  if (authorization !== undefined) headers["authorization"] = authorization.reveal();
  return {
    // A query may carry a key.
    name: `${url.origin}${url.pathname}`,
    async put(checkpoint) {
      const response = await fetch(url, {
        method: "POST",
        headers,
        body: checkpoint,
        redirect: "manual",
        signal: AbortSignal.timeout(timeout_ms),
      });
      // A body that does not end is not waited for; the status has been given.
      await response.body?.cancel();
      if (!response.ok) throw new Error(`the anchor answered ${response.status}`);
    },
  };
}
