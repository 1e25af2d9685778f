// What `doctor` hears from those whom doorless talks to: identity providers, the APIs' own
// authorization servers, and whether the APIs are there at all. No token and no secret is sent.
import { originOf } from "../config/connector.ts";
import { connect as connectTcp } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { livenessOf, livenessText } from "../config/liveness.ts";
import type { Config } from "../config/load.ts";
import type { IssuerConfig } from "../config/schema.ts";
import { EXCHANGE_GRANTS } from "../delegation/dialects.ts";
import { createThirdParty } from "../delegation/third-party.ts";
import { createProvider, describe } from "../identity/provider.ts";
import type { Provider } from "../identity/provider.ts";
import { CLOCK_TOLERANCE_S } from "../identity/verifier.ts";
import { assertHost, guardedLookup, REFUSED_ADDRESS } from "../kernel/address.ts";
import { systemClock } from "../kernel/clock.ts";
import { fine, noted, wrong } from "./finding.ts";
import type { Finding } from "./finding.ts";

const SKEW_MS_MAX = CLOCK_TOLERANCE_S * 1000;
const CONNECT_MS_MAX = 5000;

export async function lookAtPeers(config: Config): Promise<readonly Finding[]> {
  const found = await Promise.all([
    ...Object.keys(config.issuers).map((name) => lookAtIssuer(config, name)),
    ...Object.keys(config.connectors).map((name) => lookAtApi(config, name)),
    ...Object.keys(config.connectors).map((name) => lookAtServer(config, name)),
  ]);
  return found.flat();
}

async function lookAtIssuer(config: Config, name: string): Promise<readonly Finding[]> {
  const issuer = config.issuers[name];
  if (issuer === undefined) throw new RangeError(name);
  const about = `issuer ${name}`;
  const allow_demo = issuer.demo === true;
  const provider = createProvider(name, issuer, { clock: systemClock, allow_demo });
  const revocation = fine(about, `revocation: ${livenessText(issuer)}`);
  try {
    const missing = missingAt(config, issuer, about);
    return [...(await answersOf(provider, about)), revocation, ...missing];
  } catch (error) {
    const mend = `see that ${issuer.issuer} answers, and is what its tokens say`;
    return [
      wrong(about, describe(error), mendFor(error, issuer, `/issuers/${name}`, mend)),
      revocation,
    ];
  } finally {
    await provider.close();
  }
}

function missingAt({ connectors }: Config, issuer: IssuerConfig, about: string) {
  const exchanged = Object.entries(connectors).filter(([, c]) => c.delegation?.kind === "exchange");
  if (issuer.client !== undefined || exchanged.length === 0) return [];
  const apis = exchanged.map(([api]) => api).join(", ");
  return [
    noted(about, `its users reach none of ${apis}: doorless is no client of it`, "add `client`"),
  ];
}

async function answersOf(provider: Provider, about: string): Promise<readonly Finding[]> {
  const metadata = await provider.metadata();
  const { keys, skew_ms } = await keysAt(provider, metadata.jwks_uri ?? "");
  const offers = offersIn(metadata);
  const offered = Object.entries(offers).flatMap(([what, isThere]) => (isThere ? [what] : []));
  const signing = keys === 1 ? "1 key" : `${keys} keys`;
  const said = `${signing}; offers ${offered.join(", ") || "nothing of use here"}`;
  const token = await tokenEndpointAt(provider, metadata.token_endpoint, about);
  return [
    fine(about, said),
    ...token,
    ...skewIn(skew_ms, about),
    ...wantedOf(provider.config, offers, about),
  ];
}

function offersIn(metadata: Readonly<Record<string, unknown>>) {
  const { grant_types_supported: grants } = metadata;
  return {
    "token exchange": Array.isArray(grants) && EXCHANGE_GRANTS.some((one) => grants.includes(one)),
    introspection: metadata["introspection_endpoint"] !== undefined,
    revocation: metadata["revocation_endpoint"] !== undefined,
    "back-channel logout": metadata["backchannel_logout_supported"] === true,
    "device sign-in": metadata["device_authorization_endpoint"] !== undefined,
    registration: metadata["registration_endpoint"] !== undefined,
  };
}

async function keysAt(provider: Provider, uri: string) {
  const sent_ms = Date.now();
  const response = await provider.fetch(uri);
  const middle_ms = (sent_ms + Date.now()) / 2;
  if (response.status !== 200) throw new Error(`its keys: ${uri} answered ${response.status}`);
  const { keys } = ((await response.json()) ?? {}) as { keys?: unknown };
  if (!Array.isArray(keys) || keys.length === 0) throw new Error(`its keys: ${uri} lists none`);
  const date_ms = Date.parse(response.headers.get("date") ?? "");
  return { keys: keys.length, skew_ms: Number.isNaN(date_ms) ? undefined : date_ms - middle_ms };
}

// Date counts whole seconds.
function skewIn(skew_ms: number | undefined, about: string): readonly Finding[] {
  if (skew_ms === undefined || Math.abs(skew_ms) <= SKEW_MS_MAX + 1000) return [];
  const way = skew_ms > 0 ? "behind" : "ahead of";
  const said = `this machine's clock is ${Math.round(Math.abs(skew_ms) / 1000)} s ${way} it`;
  return [wrong(about, said, "let both set their clocks by NTP: tokens are refused meanwhile")];
}

// An empty question: whatever it is answered with, somebody is there.
async function tokenEndpointAt(provider: Provider, uri: string | undefined, about: string) {
  if (uri === undefined) return [wrong(about, "it has no token endpoint", "name another issuer")];
  try {
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const { status } = await provider.fetch(uri, { method: "POST", headers, body: "" });
    if (status < 500) return [];
    return [wrong(about, `its token endpoint answered ${status}`, "ask whoever runs it")];
  } catch (error) {
    return [wrong(about, `its token endpoint: ${describe(error)}`, "ask whoever runs it")];
  }
}

function wantedOf(
  issuer: IssuerConfig,
  offers: ReturnType<typeof offersIn>,
  about: string,
): readonly Finding[] {
  const findings: Finding[] = [];
  if (livenessOf(issuer).source === "introspection" && !offers.introspection) {
    const mend = 'choose another "liveness", such as "exchange"';
    findings.push(wrong(about, "it is to be asked by introspection, and offers none", mend));
  }
  if (issuer.client !== undefined && !offers["token exchange"]) {
    const said = "its metadata names no grant by which tokens are exchanged";
    findings.push(noted(about, said, "allow it to the client there; not every provider names it"));
  }
  if (issuer.events?.backchannel_logout !== undefined && !offers["back-channel logout"]) {
    const said = "its metadata names no back-channel logout, and logout tokens are expected";
    findings.push(noted(about, said, "see that the client there has our logout URL"));
  }
  return findings;
}

/** Resolves the one origin that a connector dials, and connects. */
async function lookAtApi({ connectors }: Config, name: string): Promise<readonly Finding[]> {
  const connector = connectors[name];
  if (connector === undefined) throw new RangeError(name);
  const about = `connector ${name}`;
  const { allow_private_addresses } = connector;
  const origin = originOf(connector);
  if (origin === undefined) return [];
  try {
    await reach(new URL(origin), allow_private_addresses);
    return [fine(about, `${origin} is there`)];
  } catch (error) {
    const mend = `see that ${origin} is the API's origin, and that it runs`;
    const said = `${origin}: ${describe(error)}`;
    return [wrong(about, said, mendFor(error, connector, `/connectors/${name}`, mend))];
  }
}

// What no setting allows is not offered.
function mendFor(
  error: unknown,
  { allow_private_addresses }: { readonly allow_private_addresses: boolean },
  pointer: string,
  otherwise: string,
): string {
  if (allow_private_addresses || !describe(error).includes(REFUSED_ADDRESS)) return otherwise;
  return `if it is meant, ${pointer}: "allow_private_addresses": true`;
}

function reach({ protocol, hostname, port }: URL, allow_private: boolean): Promise<void> {
  assertHost(hostname, allow_private);
  const host = hostname.replace(/^\[|\]$/g, "");
  const isTls = protocol === "https:";
  const to = {
    host,
    port: Number(port) || (isTls ? 443 : 80),
    lookup: guardedLookup(allow_private),
  };
  return new Promise((resolve, reject) => {
    const socket: Socket = isTls ? connectTls({ ...to, servername: host }) : connectTcp(to);
    const done = (settle: () => void) => (): void => {
      socket.destroy();
      settle();
    };
    socket.setTimeout(
      CONNECT_MS_MAX,
      done(() => reject(new Error("no answer in time"))),
    );
    socket.once("error", (error) => done(() => reject(error))());
    socket.once(isTls ? "secureConnect" : "connect", done(resolve));
  });
}

/** The API's own authorization server, where people connect their accounts. */
async function lookAtServer(config: Config, name: string): Promise<readonly Finding[]> {
  const connector = config.connectors[name];
  if (connector?.delegation?.kind !== "connection") return [];
  const about = `connector ${name}`;
  const { delegation, allow_private_addresses } = connector;
  const secret = config.connection_secrets.get(name);
  const clock = systemClock;
  const server = createThirdParty({ config: delegation, secret, allow_private_addresses, clock });
  try {
    return [fine(about, `people connect at ${await server.origin()}`)];
  } catch (error) {
    const mend = `see /connectors/${name}/delegation/authorization_server`;
    const said = `its authorization server: ${describe(error)}`;
    return [wrong(about, said, mendFor(error, connector, `/connectors/${name}`, mend))];
  } finally {
    await server.close();
  }
}
