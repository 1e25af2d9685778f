// How each issuer's users are known to be still welcome: what the file says, and what it must say.
import { isLoopback } from "../kernel/address.ts";
import type { Report } from "./problem.ts";
import type { ConfigFile, IssuerConfig } from "./schema.ts";

type LivenessConfig = NonNullable<IssuerConfig["liveness"]>;

/** What holds for an issuer; on loopback, where the file may be silent, the token's lifetime. */
export function livenessOf({ liveness }: IssuerConfig): LivenessConfig {
  return liveness ?? { source: "token_lifetime", accepted: true };
}

/** The most that passes between the end of a user's access and the end of what he can do. */
export function boundOf(issuer: IssuerConfig): number {
  const liveness = livenessOf(issuer);
  return "bound_ms" in liveness ? liveness.bound_ms : issuer.token_lifetime_s_max * 1000;
}

const SAID: Readonly<Record<LivenessConfig["source"], string>> = {
  introspection: "asked by introspection",
  exchange: "asked by a token exchange",
  events: "pushed; where an event is lost, at the token's end",
  token_lifetime: "nobody is asked: at the token's end",
};

/** One line for whoever starts it: how revocation shows at this issuer, and how late at most. */
export function livenessText(issuer: IssuerConfig): string {
  const { backchannel_logout, shared_signals } = issuer.events ?? {};
  const pushed = [
    ...(backchannel_logout === undefined ? [] : ["back-channel logout"]),
    ...(shared_signals === undefined ? [] : ["shared signals"]),
  ];
  const also = pushed.length === 0 ? "" : `; pushed by ${pushed.join(" and ")}`;
  return `${SAID[livenessOf(issuer).source]}, at most ${boundOf(issuer)} ms${also}`;
}

export function checkLiveness(data: ConfigFile, report: Report): void {
  const isPublic = !isLoopback(new URL(data.public_url).hostname);
  for (const [name, issuer] of Object.entries(data.issuers)) {
    const { liveness, client, events } = issuer;
    const at = `/issuers/${name}/liveness`;
    if (liveness === undefined) {
      if (!isPublic) continue;
      const message = "it is not said how a user's revocation at this provider becomes known";
      const mend =
        'write "liveness": { "source": "introspection" }, or accept in writing that it shows ' +
        'when the token ends: { "source": "token_lifetime", "accepted": true }';
      report(`/issuers/${name}`, message, mend);
      continue;
    }
    const asks = liveness.source === "introspection" || liveness.source === "exchange";
    if (asks && client === undefined) {
      report(at, "asks the provider, and doorless is no client of it", "add `client` beside it");
    }
    if (liveness.source === "events" && events === undefined) {
      report(at, "waits for events, and none are expected", "add `events` beside it");
    }
    if (liveness.source !== "exchange") continue;
    const delegation = data.connectors[liveness.connector]?.delegation;
    if (delegation?.kind === "exchange") continue;
    const known = Object.entries(data.connectors).filter(
      ([, c]) => c.delegation?.kind === "exchange",
    );
    const mend = `name one of: ${known.map(([one]) => one).join(", ") || "(there are none yet)"}`;
    report(`${at}/connector`, "is no connector with delegation by exchange", mend);
  }
}
