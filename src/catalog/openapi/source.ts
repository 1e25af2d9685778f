// Where a document comes from: a file, or an address that the operator typed. It is fetched without
// any credential, bounded, following nothing; what it refers to lies beside it or is not read.
import { hash } from "node:crypto";
import { realpathSync } from "node:fs";
import { open } from "node:fs/promises";
import { isIP } from "node:net";
import { dirname, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { createGuardedFetch } from "../../identity/guarded-fetch.ts";
import type { GuardedFetch } from "../../identity/guarded-fetch.ts";
import { isLoopback, isSpecialAddress } from "../../kernel/address.ts";
import { ApiDocument } from "./document.ts";
import type { FileReader } from "./document.ts";
import { NotImportable } from "./reason.ts";
import { DOCUMENT_BYTES_MAX } from "./read.ts";

const TIMEOUT_MS = 120_000;
// The address goes into files that are reviewed and kept.
const SECRET =
  /token|secret|pass|pwd|signature|credential|api[-_]?key|[-_]key$|^(?:key|sig|auth|code|jwt)$/i;

export interface SourceOptions {
  /** Whether a name may lead to a private network; an address that was typed may always. */
  readonly allow_private: boolean;
  /** Hears of bytes as they come in. */
  readonly progress: (bytes: number) => void;
}

/** Reads the document; the files that it refers to are read as long as `use` runs. */
export function withDocument<T>(
  where: string,
  options: SourceOptions,
  use: (document: ApiDocument) => Promise<T>,
): Promise<T> {
  return withBytes(where, options, (bytes, url, read) => use(new ApiDocument(bytes, url, read)));
}

/** What stands there now, without understanding it. */
export function digestAt(where: string, options: SourceOptions) {
  return withBytes(where, options, (bytes) =>
    Promise.resolve({ sha256: hash("sha256", bytes, "hex"), size: bytes.length }),
  );
}

async function withBytes<T>(
  where: string,
  options: SourceOptions,
  use: (bytes: Uint8Array, url: URL, read: FileReader) => Promise<T>,
): Promise<T> {
  if (!/^https?:\/\//i.test(where)) {
    const file = existing(where);
    const read = (url: URL): Promise<Uint8Array> => readBeside(url, dirname(file), options);
    const url = pathToFileURL(file);
    return use(await read(url), url, read);
  }
  const url = addressOf(where);
  const typed = url.hostname.replace(/^\[|\]$/g, "");
  const isTyped = isLoopback(typed) || (isIP(typed) !== 0 && isSpecialAddress(typed));
  const guarded = createGuardedFetch(options.allow_private || isTyped, {
    timeout_ms: TIMEOUT_MS,
    response_bytes_max: DOCUMENT_BYTES_MAX,
  });
  try {
    const read = (one: URL): Promise<Uint8Array> => fetched(guarded, one, options);
    return await use(await read(url), url, read);
  } finally {
    await guarded.close();
  }
}

function existing(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    throw new NotImportable("document_unreachable", (error as Error).message);
  }
}

function addressOf(where: string): URL {
  if (!URL.canParse(where)) throw new NotImportable("document_unreachable", "no address");
  const url = new URL(where);
  if (url.username !== "" || url.password !== "") {
    const detail = "an address with a password in it: documents are fetched without credentials";
    throw new NotImportable("document_unreachable", detail);
  }
  const secret = [...url.searchParams.keys()].find((name) => SECRET.test(name));
  if (secret !== undefined) {
    const what = `an address with a ${secret.slice(0, 40)} in it`;
    const detail = `${what}: save the document, and name the file`;
    throw new NotImportable("document_unreachable", detail);
  }
  url.hash = "";
  return url;
}

// A link in the folder may lead out of it: what counts is where the file really lies.
async function readBeside(
  url: URL,
  folder: string,
  { progress }: SourceOptions,
): Promise<Uint8Array> {
  const file = existing(fileURLToPath(url));
  if (!file.startsWith(folder.endsWith(sep) ? folder : folder + sep)) {
    throw new NotImportable("reference_outside", "a link that leads out of the folder");
  }
  await using handle = await open(file, "r");
  const { size } = await handle.stat();
  if (size > DOCUMENT_BYTES_MAX) {
    throw new NotImportable("document_too_large", `${size} bytes, more than ${DOCUMENT_BYTES_MAX}`);
  }
  const bytes = await handle.readFile();
  progress(bytes.length);
  return bytes;
}

async function fetched(
  guarded: GuardedFetch,
  url: URL,
  { progress }: SourceOptions,
): Promise<Uint8Array> {
  try {
    const accept = "application/json, application/yaml, text/yaml, */*;q=0.1";
    const answer = await guarded.fetch(url.href, { headers: { accept } });
    if (answer.status !== 200) throw new Error(`it answers with status ${answer.status}`);
    const parts: Uint8Array[] = [];
    let total = 0;
    for await (const part of answer.body ?? []) {
      parts.push(part);
      progress(part.length);
      total += part.length;
      if (total > DOCUMENT_BYTES_MAX) throw new Error(`more than ${DOCUMENT_BYTES_MAX} bytes`);
    }
    return Buffer.concat(parts);
  } catch (error) {
    const { message, cause } = error as Error;
    const why = cause instanceof Error ? `${message}: ${cause.message}` : message;
    throw new NotImportable("document_unreachable", `${url.href}: ${why}`);
  }
}
