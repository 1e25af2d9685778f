// The token of one user for one API, however it was obtained.
import type { Secret } from "../kernel/secret.ts";

/** Made only in this room, from an answer that was checked. Never without a human. */
export interface DownstreamToken {
  readonly token: Secret;
  readonly expires_at_ms: number;
}
