// The demo's configuration: the example at the root, line for line, with this run's addresses, so
// that `explain` names its lines. What somebody changed in it since is kept.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PACKAGE } from "./core.ts";

/** Where this run's servers are; the example names each of them with a port of its own. */
export interface DemoPlaces {
  readonly url: string;
  readonly issuer: string;
  readonly api: string;
  readonly mail_accounts: string;
}

const IN_EXAMPLE: DemoPlaces = {
  url: "http://127.0.0.1:8484",
  issuer: "http://127.0.0.1:8485",
  api: "http://127.0.0.1:8486",
  mail_accounts: "http://127.0.0.1:8487",
};

/** What was written last, beside the world's own state. */
interface Written {
  readonly digest: string;
  readonly places: DemoPlaces;
}

/** Where the last run's servers were, of which `world` is the state. */
export function lastPlaces(world: string): DemoPlaces | undefined {
  return lastIn(world)?.places;
}

function lastIn(world: string): Written | undefined {
  const note = noteIn(world);
  return existsSync(note) ? (JSON.parse(readFileSync(note, "utf8")) as Written) : undefined;
}

const noteIn = (world: string): string => join(world, "config-written.json");

/** `kept`: it was not as we left it, and is served as it is, but for the addresses. */
export function writeDemoConfig(
  data: string,
  world: string,
  places: DemoPlaces,
): { readonly file: string; readonly kept: boolean } {
  const file = join(data, "mcp.config.json");
  const last = lastIn(world);
  const found = existsSync(file) ? readFileSync(file, "utf8") : undefined;
  const kept = last !== undefined && found !== undefined && digestOf(found) !== last.digest;
  const text = kept ? moved(found, last.places, places) : example(places);
  writeFileSync(file, text, { mode: 0o600 });
  // Of what we wrote without anybody's changes: a file that was changed stays one.
  const digest = kept ? last.digest : digestOf(text);
  const written = `${JSON.stringify({ digest, places } satisfies Written)}\n`;
  writeFileSync(noteIn(world), written, { mode: 0o600 });
  return { file, kept };
}

function example(places: DemoPlaces): string {
  const text = readFileSync(join(PACKAGE, "mcp.config.json"), "utf8")
    .replace('"data": ".doorless/demo"', '"data": "."')
    .replace('"tools": "tools"', `"tools": ${JSON.stringify(join(PACKAGE, "tools"))}`)
    .replaceAll("file:.doorless/demo/keys/", "file:keys/")
    .replace("./docs/", `${join(PACKAGE, "docs")}/`);
  return moved(text, IN_EXAMPLE, places);
}

// All at once: one's new address may be another's old one.
function moved(text: string, from: DemoPlaces, to: DemoPlaces): string {
  const port = ({ url }: DemoPlaces): string => `"port": ${new URL(url).port}`;
  const pairs = new Map<string, string>([[port(from), port(to)]]);
  for (const name of Object.keys(from) as (keyof DemoPlaces)[]) pairs.set(from[name], to[name]);
  const old = [...pairs.keys()].map((one) => one.replaceAll(".", "\\."));
  const any = new RegExp(`(?:${old.join("|")})(?!\\d)`, "g");
  return text.replaceAll(any, (one) => pairs.get(one) ?? one);
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
