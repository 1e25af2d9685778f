/** A Shared Signals transmitter: pushes that an account was disabled (RISC, RFC 8935). */

import { randomUUID } from "node:crypto";
import { importJWK, SignJWT } from "jose";
import type { Boundary } from "../boundary.ts";
import type { IdpState } from "./state.ts";

const ACCOUNT_DISABLED = "https://schemas.openid.net/secevent/risc/event-type/account-disabled";
const PATIENCE_MS = 2000;

interface Disabled {
  readonly issuer: string;
  readonly subject: string;
  readonly boundary: Boundary;
}

/** Pushes one security event token; rejects where nobody takes it. */
export async function transmit(
  state: IdpState,
  { issuer, subject, boundary }: Disabled,
): Promise<void> {
  const { events } = boundary;
  const [key] = state.keys;
  if (events === undefined || key === undefined) return;
  const token = await new SignJWT({
    sub_id: { format: "iss_sub", iss: issuer, sub: subject },
    events: { [ACCOUNT_DISABLED]: { reason: "account-disabled" } },
  })
    .setProtectedHeader({ alg: "ES256", typ: "secevent+jwt", kid: key.kid ?? "" })
    .setIssuer(issuer)
    .setAudience(events.shared_signals)
    .setIssuedAt()
    .setJti(randomUUID())
    .sign(await importJWK(key, "ES256"));
  const response = await fetch(events.shared_signals, {
    method: "POST",
    headers: { "content-type": "application/secevent+jwt", accept: "application/json" },
    body: token,
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  if (response.status !== 202) throw new Error(`the boundary answered ${response.status}`);
}
