// A sink that posts the log's lines to a URL: a collector, a bucket's gateway, a SIEM's intake.
import type { Secret } from "../kernel/secret.ts";
import type { Sink } from "./sink.ts";

export interface HttpSinkOptions {
  readonly url: string;
  readonly timeout_ms: number;
  /** The whole value of the Authorization header. */
  readonly authorization?: Secret;
}

/**
 * The body is JSON lines as they stand in the log; the headers name the log and the numbers of the
 * first and the last line, by which a receiver tells what it has already. Only a 2xx is a yes.
 */
export function createHttpSink({ url, timeout_ms, authorization }: HttpSinkOptions): Sink {
  return {
    async put({ log_id, bytes, first, last }) {
      const response = await fetch(url, {
        method: "POST",
        headers: {
          "content-type": "application/x-ndjson",
          "doorless-log": log_id,
          "doorless-first": String(first),
          "doorless-last": String(last),
          ...(authorization === undefined ? {} : { authorization: authorization.reveal() }),
        },
        body: new Uint8Array(bytes),
        redirect: "manual",
        signal: AbortSignal.timeout(timeout_ms),
      });
      // A body that does not end is not waited for; the status has been given.
      await response.body?.cancel();
      if (!response.ok) throw new Error(`the sink answered ${response.status}`);
    },
  };
}
