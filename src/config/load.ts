// Reads mcp.config.json and the environment once, or stops the process (DESIGN section 3).
import { readFileSync } from "node:fs";
import { basename, dirname, resolve, sep } from "node:path";
import { z } from "zod";
import { issueInWords, systemErrorInWords } from "../kernel/in-words.ts";
import { JsonError, parseJsonDocument, pointerTo, decodeUtf8 } from "../kernel/json.ts";
import type { JsonDocument } from "../kernel/json.ts";
import { isLoopback } from "../kernel/address.ts";
import { fingerprint } from "../kernel/ids.ts";
import { ConfigError } from "./problem.ts";
import type { Problem, Report } from "./problem.ts";
import { configSchema } from "./schema.ts";
import type { ConfigFile } from "./schema.ts";
import { checkConnector } from "./connector.ts";
import type { ConnectorConfig } from "./connector.ts";
import { checkIsolation } from "./isolation.ts";
import { checkKept, checkMemory, overlaps, unknownNames } from "./cross-check.ts";
import { checkLiveness } from "./liveness.ts";
import { NO_SECRETS, readSecrets } from "./secrets.ts";
import type { Environment, Secrets } from "./secrets.ts";

const FILE_LIMITS = { depth_max: 64, keys_max: 200_000 };

/** The configuration, frozen, with its secrets read and its places known. */
export interface Config extends ConfigFile, Secrets {
  /** Absolute path of the file. */
  readonly file: string;
  readonly data_dir: string;
  readonly tools_dir: string;
  /** The file of the vault's keys: never inside the data folder. */
  readonly vault_keys_file: string;
  /** The file whose policy is tried out, refusing nothing. */
  readonly shadow_file: string | undefined;
  readonly hash: string;
  /** `file:line` of the value at a JSON pointer, for explanations. */
  place(pointer: string): string;
}

export interface LoadOptions {
  /** False where only questions are answered: secrets that this shell lacks do not matter then. */
  readonly secrets: boolean;
}

/** Throws `ConfigError` with every problem that the file has. */
export function loadConfig(
  path: string,
  environment: Environment,
  options: LoadOptions = { secrets: true },
): Config {
  const file = resolve(path);
  const document = read(file);
  const parsed = configSchema.safeParse(document.value);
  if (!parsed.success)
    throw new ConfigError(parsed.error.issues.flatMap(toProblem(file, document)));
  const secretsFrom = options.secrets ? environment : undefined;
  return build(file, document, parsed.data, secretsFrom);
}

function read(file: string): JsonDocument {
  try {
    return parseJsonDocument(decodeUtf8(readFileSync(file)), FILE_LIMITS);
  } catch (error) {
    const line = error instanceof JsonError ? { line: error.position.line } : {};
    const mend =
      error instanceof JsonError
        ? "the file must be strict JSON (RFC 8259): no comments, no trailing commas, no key twice"
        : "name one that is there with --config FILE, or write one with the README's example";
    const message = error instanceof JsonError ? error.message : systemErrorInWords(error);
    throw new ConfigError([{ file, pointer: "", ...line, message, mend }]);
  }
}

function build(
  file: string,
  document: JsonDocument,
  data: ConfigFile,
  environment: Environment | undefined,
): Config {
  const problems: Problem[] = [];
  const report = (pointer: string, message: string, mend: string): void => {
    problems.push({ file, pointer, line: document.at(pointer).line, message, mend });
  };
  checkAddresses(data, report);
  unknownNames(data, report);
  overlaps(data, report);
  checkLiveness(data, report);
  checkMemory(data, report);
  checkKept(data, report);
  checkAnchors(data, file, report);
  const vault_keys_file = placeKeys(data, file, report);
  const secrets =
    environment === undefined ? NO_SECRETS : readSecrets(data, file, environment, report);
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze({
    ...deepFreeze(data),
    file,
    data_dir: resolve(dirname(file), data.data),
    tools_dir: resolve(dirname(file), data.tools),
    vault_keys_file,
    shadow_file: data.shadow === undefined ? undefined : resolve(dirname(file), data.shadow),
    hash: fingerprint(data),
    ...secrets,
    place: (pointer: string) => `${basename(file)}:${document.at(pointer).line}`,
  });
}

function toProblem(file: string, document: JsonDocument) {
  return (issue: z.core.$ZodIssue): Problem[] => {
    const parent = issue.path.map(String).reduce(pointerTo, "");
    const at = (pointer: string, message: string, mend: string): Problem => ({
      file,
      pointer,
      line: document.at(pointer).line,
      message,
      mend,
    });
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) =>
        at(pointerTo(parent, key), "unknown key", "remove it, or see `doorless schema`"),
      );
    }
    if (issue.code === "invalid_key") {
      const why = issue.issues[0]?.message ?? issue.message;
      return [at(parent, `bad name: ${why}`, "rename it")];
    }
    if (issue.code === "invalid_union" && issue.errors.length > 0) {
      const ways = issue.errors.map((way) => way.map((i) => describeIssue(i)).join(", "));
      return [at(parent, "fits none of the allowed forms", `one of: ${ways.join(" | or ")}`)];
    }
    return [at(parent, issueInWords(issue), `see ${parent || "/"} in \`doorless schema\``)];
  };
}

function describeIssue(issue: z.core.$ZodIssue): string {
  return `${issue.path.join(".") || "value"}: ${issueInWords(issue)}`;
}

function checkAddresses(data: ConfigFile, report: Report): void {
  const https = (pointer: string, value: string): void => {
    const { protocol, hostname, username, password } = new URL(value);
    // Addresses are printed, logged and recorded.
    if (username !== "" || password !== "") {
      report(pointer, "has a user name or a password", "take it out: secrets are references");
    } else if (protocol !== "https:" && !isLoopback(hostname)) {
      report(pointer, `${value} is not https`, "use https; plain http is for loopback only");
    }
  };
  https("/public_url", data.public_url);
  for (const [name, issuer] of Object.entries(data.issuers)) {
    https(`/issuers/${name}/issuer`, issuer.issuer);
    const url = new URL(issuer.issuer);
    if (url.search !== "" || url.hash !== "") {
      report(
        `/issuers/${name}/issuer`,
        "has a query or fragment",
        "RFC 8414 section 2 allows none",
      );
    }
  }
  checkConnectors(data, https, report);
  // The log's lines name people; an anchor's checkpoints name nobody, and its credential is ours.
  for (const [name, sink] of Object.entries(data.ledger.sinks)) {
    if (sink.kind === "http") https(`/ledger/sinks/${name}/url`, sink.url);
  }
  for (const [i, anchor] of data.ledger.anchors.entries()) {
    if (anchor.kind !== "http" || anchor.authorization === undefined) continue;
    https(`/ledger/anchors/${i}/url`, anchor.url);
  }
  const isPublic = !isLoopback(new URL(data.public_url).hostname);
  checkIsolation(data.isolation, isPublic || !isLoopback(data.listen.host), report);
  if (!isLoopback(data.listen.host) && data.public_url.startsWith("http:")) {
    report("/listen/host", "listens beyond loopback with an http public_url", "use https there");
  }
}

function checkConnectors(
  { connectors }: ConfigFile,
  https: (pointer: string, value: string) => void,
  report: Report,
): void {
  for (const [name, connector] of Object.entries(connectors)) {
    checkConnector(`/connectors/${name}`, connector, report);
    const { origin, mcp } = connector;
    if (origin !== undefined) https(`/connectors/${name}/origin`, origin);
    if (mcp !== undefined && "url" in mcp) {
      https(`/connectors/${name}/mcp/url`, mcp.url);
      if (/[?#]/.test(mcp.url)) {
        const mend = "take it out: a key in it would be everybody's, and is printed and recorded";
        report(`/connectors/${name}/mcp/url`, "has a query or a fragment", mend);
      }
    }
    for (const [pointer, value] of serverUrls(connector)) {
      https(`/connectors/${name}/delegation/authorization_server${pointer}`, value);
    }
  }
}

function serverUrls({ delegation }: ConnectorConfig): [pointer: string, url: string][] {
  if (delegation?.kind !== "connection") return [];
  const server = delegation.authorization_server;
  if (typeof server === "string") return [["", server]];
  return Object.entries(server).flatMap(([field, value]) =>
    value === undefined ? [] : [[`/${field}`, value] as [string, string]],
  );
}

function checkAnchors(data: ConfigFile, file: string, report: Report): void {
  const hosts = [new URL(data.public_url).hostname, data.listen.host];
  const { anchors, without_anchor } = data.ledger;
  if (hosts.every(isLoopback) || without_anchor !== undefined) return;
  const folder = resolve(dirname(file), data.data);
  // UDP is never told that nobody listens; what lies in the data folder is cut with it.
  const shows = (anchor: (typeof anchors)[number]): boolean => {
    if (anchor.kind === "syslog") return anchor.transport === "tcp";
    return anchor.kind !== "file" || !isIn(folder, resolve(dirname(file), anchor.path));
  };
  if (anchors.some(shows)) return;
  const mend = 'add one, or write "without_anchor": "accepted" (docs/threat-model.md)';
  report("/ledger", "no anchor beyond loopback: a cut end of the log would not show", mend);
}

const isIn = (folder: string, path: string): boolean => path.startsWith(`${folder}${sep}`);

/** A stolen data folder must not hold the key to itself. */
function placeKeys(data: ConfigFile, file: string, report: Report): string {
  const folder = resolve(dirname(file), data.data);
  const { keys } = data.vault;
  const placed = keys === undefined ? `${folder}.keys/vault.json` : resolve(dirname(file), keys);
  if (isIn(folder, placed)) {
    report(
      "/vault/keys",
      "lies inside the data folder",
      "keep it elsewhere: another disk, a mount",
    );
  }
  return placed;
}

function deepFreeze<T>(value: T): T {
  if (value !== null && typeof value === "object") {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
