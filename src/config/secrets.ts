// Secrets are references, `env:NAME` or `file:PATH`: read once, here, and never shown.
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { own } from "../kernel/own.ts";
import { Secret } from "../kernel/secret.ts";
import type { Report } from "./problem.ts";
import type { ConfigFile } from "./schema.ts";

export interface Environment {
  readonly [name: string]: string | undefined;
}

export interface Secrets {
  /** The client secret of doorless at each issuer, by the issuer's configured name. */
  readonly client_secrets: ReadonlyMap<string, Secret>;
  /** What each issuer's transmitter of events shows us, by the issuer's configured name. */
  readonly event_secrets: ReadonlyMap<string, Secret>;
  /** Of doorless at the third-party authorization servers, by connector. */
  readonly connection_secrets: ReadonlyMap<string, Secret>;
  readonly metrics_secret: Secret | undefined;
  /** By the anchor's place in the list. */
  readonly anchor_secrets: ReadonlyMap<number, Secret>;
  readonly sink_secrets: ReadonlyMap<string, Secret>;
}

export const NO_SECRETS: Secrets = {
  client_secrets: new Map(),
  event_secrets: new Map(),
  connection_secrets: new Map(),
  metrics_secret: undefined,
  anchor_secrets: new Map(),
  sink_secrets: new Map(),
};

/** Where a reference stands, and what it is; `undefined` where the file has none there. */
type Reference<Key> = readonly [key: Key, pointer: string, ref: string | undefined];

export function readSecrets(
  data: ConfigFile,
  file: string,
  environment: Environment,
  report: Report,
): Secrets {
  const read = <Key>(references: readonly Reference<Key>[]): ReadonlyMap<Key, Secret> => {
    const found = new Map<Key, Secret>();
    for (const [key, pointer, ref] of references) {
      if (ref === undefined) continue;
      const value = valueOf(ref, file, environment);
      if (value !== undefined && value !== "") found.set(key, new Secret(value));
      else report(pointer, "the secret cannot be read, or is empty", `set it: ${ref}`);
    }
    return found;
  };
  const issuers = Object.entries(data.issuers);
  return {
    client_secrets: read(
      issuers.map(([name, { client }]) => {
        return [name, `/issuers/${name}/client/client_secret`, client?.client_secret];
      }),
    ),
    event_secrets: read(
      issuers.map(([name, { events }]) => {
        const pointer = `/issuers/${name}/events/shared_signals/authorization`;
        return [name, pointer, events?.shared_signals?.authorization];
      }),
    ),
    connection_secrets: read(
      Object.entries(data.connectors).map(([name, { delegation }]) => {
        const client = delegation.kind === "connection" ? delegation.client : undefined;
        const pointer = `/connectors/${name}/delegation/client/client_secret`;
        return [name, pointer, client?.client_secret];
      }),
    ),
    metrics_secret: read([[0, "/metrics_token", data.metrics_token]]).get(0),
    anchor_secrets: read(
      data.ledger.anchors.map((anchor, i) => {
        const ref = anchor.kind === "http" ? anchor.authorization : undefined;
        return [i, `/ledger/anchors/${i}/authorization`, ref];
      }),
    ),
    sink_secrets: read(
      Object.entries(data.ledger.sinks).map(([name, sink]) => {
        const ref = sink.kind === "http" ? sink.authorization : undefined;
        return [name, `/ledger/sinks/${name}/authorization`, ref];
      }),
    ),
  };
}

function valueOf(ref: string, file: string, environment: Environment): string | undefined {
  if (ref.startsWith("env:")) return own(environment, ref.slice(4));
  try {
    return readFileSync(resolve(dirname(file), ref.slice(5)), "utf8").trim();
  } catch {
    return undefined;
  }
}
