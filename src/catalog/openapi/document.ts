// An OpenAPI document as one tree: files that it refers to are mounted in it when something needs
// them, and their references rewritten to point into the tree. Nothing is ever dereferenced.
import { createHash } from "node:crypto";
import { valueAt } from "../../kernel/json.ts";
import { NotImportable } from "./reason.ts";
import { DOCUMENT_BYTES_MAX, isJson, objectAt, readTree } from "./read.ts";
import type { Json } from "./read.ts";

/** Reads the bytes of a file that the document refers to; throws where it cannot. */
export type FileReader = (url: URL) => Promise<Uint8Array>;

export type Dialect = "2.0" | "3.0" | "3.1";

const FILES_MAX = 5000;
const REFERENCES_MAX = 64;
const MOUNTED = "x-doorless-files";
// What stands under these is data of the API's, in which "$ref" means nothing to us.
const DATA = new Set(["example", "examples", "default", "enum", "const"]);
// What stands under these has keys that the API chose: a property may be called "default".
const NAMED = new Set([
  "properties",
  "patternProperties",
  "dependentSchemas",
  "$defs",
  "definitions",
  "schemas",
  "paths",
  "callbacks",
  "responses",
  "parameters",
  "headers",
  "requestBodies",
  "content",
  "links",
  "pathItems",
  "securitySchemes",
  "variables",
  "encoding",
  "mapping",
]);

export interface Resolved {
  readonly value: Json;
  /** The last part of the reference: what its author called it. */
  readonly name: string;
}

export class ApiDocument {
  readonly root: Json;
  readonly dialect: Dialect;
  readonly url: URL;
  /** Of its own bytes. */
  readonly sha256: string;
  private readonly read: FileReader;
  private readonly base: URL;
  private readonly files = new Map<string, number>();
  private readonly mounted: Record<string, unknown> = {};
  private readonly failed = new Map<string, string>();
  private bytes: number;

  /** `url` is where the bytes came from: what it refers to must lie beside or below it. */
  constructor(bytes: Uint8Array, url: URL, read: FileReader) {
    const tree = readTree(bytes, nameOf(url));
    this.url = url;
    this.base = new URL(".", url);
    this.read = read;
    this.bytes = bytes.length;
    this.sha256 = createHash("sha256").update(bytes).digest("hex");
    this.dialect = dialectOf(tree, nameOf(url));
    this.rewrite(tree, url, "");
    this.root = { ...(tree as Json), [MOUNTED]: this.mounted };
  }

  /** The first file that something needed and that could not be read, and why. */
  get unread(): string | undefined {
    return [...this.failed.values()][0];
  }

  /** Follows `$ref` from an object to one that has none; a circle of references leads nowhere. */
  resolve(node: Json, name = ""): Resolved {
    let [here, called] = [node, name];
    for (let hops = 0; typeof here["$ref"] === "string"; hops++) {
      const reference = here["$ref"];
      const found = hops < REFERENCES_MAX ? this.lookUp(reference) : undefined;
      if (!isJson(found)) throw new NotImportable("reference_dangling", this.shown(reference));
      [here, called] = [found, this.calledBy(reference)];
    }
    return { value: here, name: called };
  }

  /** Mounts each file that is reachable from `node`. Without such files it does nothing. */
  async gather(node: unknown): Promise<void> {
    if (this.files.size === 0) return;
    const seen = new Set<unknown>();
    const next: Place[] = [[node, false]];
    for (let place = next.pop(); place !== undefined; place = next.pop()) {
      const [here] = place;
      if (here === null || typeof here !== "object" || seen.has(here)) continue;
      seen.add(here);
      const reference = Array.isArray(here) ? undefined : (here as Json)["$ref"];
      if (typeof reference === "string") next.push([await this.fetched(reference), false]);
      next.push(...below(place));
    }
  }

  /** The same for the path items alone, so that the operations can be listed. */
  async gatherPaths(): Promise<void> {
    for (const item of Object.values(objectAt(this.root, "paths") ?? {})) {
      let here: unknown = item;
      for (let hops = 0; isJson(here) && hops < REFERENCES_MAX; hops++) {
        if (typeof here["$ref"] !== "string") break;
        here = await this.fetched(here["$ref"]);
      }
    }
  }

  private async fetched(reference: string): Promise<unknown> {
    const index = reference.startsWith(`#/${MOUNTED}/`) ? reference.split("/")[2] : undefined;
    if (index !== undefined && !Object.hasOwn(this.mounted, index)) await this.mount(index);
    return this.lookUp(reference, true);
  }

  private async mount(index: string): Promise<void> {
    const href = this.hrefOf(index);
    if (href === undefined || this.failed.has(index)) return;
    const url = new URL(href);
    try {
      this.mustHaveRoom(url);
      const bytes = await this.read(url);
      this.bytes += bytes.length;
      this.mustHaveRoom(url);
      const tree = readTree(bytes, nameOf(url));
      this.rewrite(tree, url, `/${MOUNTED}/${index}`);
      this.mounted[index] = tree;
    } catch (error) {
      this.failed.set(index, `${nameOf(url)} (${(error as Error).message})`);
    }
  }

  private mustHaveRoom(url: URL): void {
    if (this.bytes <= DOCUMENT_BYTES_MAX) return;
    throw new NotImportable("document_too_large", `with ${nameOf(url)}`);
  }

  private lookUp(reference: string, quietly = false): unknown {
    if (!reference.startsWith("#")) {
      if (quietly) return undefined;
      throw new NotImportable("reference_outside", this.shown(reference));
    }
    try {
      return valueAt(this.root, decodeURIComponent(reference.slice(1)));
    } catch {
      return undefined;
    }
  }

  // The last part of a reference; of one to a whole file, what the file is called.
  private calledBy(reference: string): string {
    const [, within, index, ...more] = reference.split("/");
    if (within !== MOUNTED || more.length > 0) return reference.split("/").at(-1) ?? "";
    return (this.hrefOf(index)?.split("/").at(-1) ?? "").replace(/\.\w+$/, "");
  }

  private hrefOf(index: string | undefined): string | undefined {
    return [...this.files].find(([, number]) => String(number) === index)?.[0];
  }

  /** A reference as its author would know it. */
  private shown(reference: string): string {
    const [, , index = ""] = reference.startsWith(`#/${MOUNTED}/`) ? reference.split("/") : [];
    const why = this.failed.get(index);
    const path = reference.slice(0, 200).replace(`#/${MOUNTED}/${index}`, "…#");
    return why === undefined ? path : `${path} in ${why}`;
  }

  // References become absolute in the tree; one that leads outside stays as it is, and is refused
  // by whatever follows it. What nothing follows harms nobody.
  private rewrite(node: unknown, at: URL, prefix: string, named = false): void {
    if (node === null || typeof node !== "object") return;
    if (!Array.isArray(node) && typeof (node as Json)["$ref"] === "string") {
      const holder = node as Record<string, unknown>;
      holder["$ref"] = this.absolute(String(holder["$ref"]), at, prefix);
    }
    for (const [value, isNamed] of below([node, named])) {
      this.rewrite(value, at, prefix, isNamed);
    }
  }

  private absolute(reference: string, at: URL, prefix: string): string {
    if (reference.startsWith(`#/${MOUNTED}/`)) return reference;
    if (reference.startsWith("#")) return `#${prefix}${reference.slice(1)}`;
    if (!URL.canParse(reference, at)) return reference;
    const target = new URL(reference, at);
    const fragment = target.hash.slice(1);
    target.hash = "";
    if (target.href === this.url.href) return `#${fragment}`;
    if (!this.isBeside(target) || this.files.size >= FILES_MAX) return reference;
    const index = this.files.get(target.href) ?? this.files.size;
    this.files.set(target.href, index);
    return `#/${MOUNTED}/${index}${fragment}`;
  }

  // In the document's own folder or below it; over HTTP at the same origin.
  private isBeside(target: URL): boolean {
    const sameOrigin = target.protocol === this.url.protocol && target.host === this.url.host;
    if (!sameOrigin || target.username !== "" || target.password !== "") return false;
    if (this.url.protocol !== "file:") return true;
    // An encoded slash or dot is a way out that the path does not show.
    return target.pathname.startsWith(this.base.pathname) && !/%2e|%2f|%5c/i.test(target.pathname);
  }
}

/** A node, and whether its keys are names that the API chose. */
type Place = readonly [node: unknown, named: boolean];

function below([node, named]: Place): Place[] {
  return Object.entries(node as object)
    .filter(([key]) => named || !DATA.has(key))
    .map(([key, value]) => [value, !named && !Array.isArray(node) && NAMED.has(key)]);
}

function nameOf(url: URL): string {
  return url.protocol === "file:" ? (url.pathname.split("/").at(-1) ?? "") : url.href;
}

function dialectOf(tree: unknown, file: string): Dialect {
  const said = isJson(tree) ? (tree["swagger"] ?? tree["openapi"]) : undefined;
  // Without quotes YAML has a number there.
  const version = typeof said === "number" ? said.toFixed(1) : typeof said === "string" ? said : "";
  const minor = /^(2\.0|3\.[012])(?:\.\d+)?(?:-[\w.]+)?$/.exec(version)?.[1];
  if (minor === undefined) {
    const what = version === "" ? "names no version" : `says version ${version.slice(0, 20)}`;
    throw new NotImportable("document_not_openapi", `${file} ${what}`);
  }
  // 3.2 adds to 3.1 what no draft uses; its schemas are the same.
  return minor === "3.2" ? "3.1" : (minor as Dialect);
}
