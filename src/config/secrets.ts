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

/** Every reference of a file, by what it is for. */
function referencesIn(data: ConfigFile) {
  const issuers = Object.entries(data.issuers);
  return {
    client_secrets: issuers.map(([name, { client }]): Reference<string> => {
      return [name, `/issuers/${name}/client/client_secret`, client?.client_secret];
    }),
    event_secrets: issuers.map(([name, { events }]): Reference<string> => {
      const pointer = `/issuers/${name}/events/shared_signals/authorization`;
      return [name, pointer, events?.shared_signals?.authorization];
    }),
    connection_secrets: Object.entries(data.connectors).map(
      ([name, { delegation }]): Reference<string> => {
        const client = delegation?.kind === "connection" ? delegation.client : undefined;
        const pointer = `/connectors/${name}/delegation/client/client_secret`;
        return [name, pointer, client?.client_secret];
      },
    ),
    metrics_secret: [[0, "/metrics_token", data.metrics_token] as Reference<number>],
    anchor_secrets: data.ledger.anchors.map((anchor, i): Reference<number> => {
      const ref = anchor.kind === "http" ? anchor.authorization : undefined;
      return [i, `/ledger/anchors/${i}/authorization`, ref];
    }),
    sink_secrets: Object.entries(data.ledger.sinks).map(([name, sink]): Reference<string> => {
      const ref = sink.kind === "http" ? sink.authorization : undefined;
      return [name, `/ledger/sinks/${name}/authorization`, ref];
    }),
  };
}

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
  const references = referencesIn(data);
  return {
    client_secrets: read(references.client_secrets),
    event_secrets: read(references.event_secrets),
    connection_secrets: read(references.connection_secrets),
    metrics_secret: read(references.metrics_secret).get(0),
    anchor_secrets: read(references.anchor_secrets),
    sink_secrets: read(references.sink_secrets),
  };
}

/** The files that hold secrets, wherever the configuration refers to one. */
export function secretFiles(data: ConfigFile, file: string): readonly string[] {
  const references = Object.values(referencesIn(data)).flat();
  return references.flatMap(([, , ref]) =>
    ref?.startsWith("file:") === true ? [resolve(dirname(file), ref.slice(5))] : [],
  );
}

function valueOf(ref: string, file: string, environment: Environment): string | undefined {
  if (ref.startsWith("env:")) return own(environment, ref.slice(4));
  try {
    return readFileSync(resolve(dirname(file), ref.slice(5)), "utf8").trim();
  } catch {
    return undefined;
  }
}
