// The second verifier: it shares no line with the one in src/, so that the log need not be
// believed on its writer's word. Node's own modules only; copy this file and the ledger anywhere.
// `node verify-ledger.ts LEDGER [--keys ledger-signing.pub] [--anchor FILE]…`
// Exit code: 0 intact, 1 not intact, 2 it could not look.
import { createHash, createPublicKey, verify } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

interface Key {
  readonly line: string;
  readonly name: string;
  readonly id: string;
  readonly raw: Buffer;
}

/** What an event says, where the line is one. */
interface Said {
  readonly event?: string;
  readonly detail?: { readonly dropped_to?: number; readonly hash?: string };
}

const FRAME = "\n---\n";
const KEY_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
const SIGNED =
  /^(([^\n]+)\n(0|[1-9]\d*)\n([^\n]+)\n((?:[^\n]+\n)*))\n((?:\u2014 \S+ \S+\n){1,16})$/;
/** Between two notes of which one was appended to the other. */
const NEXT = /(?<=\n)(?=doorless\/ledger\/\S+\n\d+\n)/;
const ANCHOR_LINE = /\{"checkpoint":"((?:[^"\\]|\\n|\\u2014)*)"\}/g;

const sha256 = (...parts: (Buffer | string)[]): Buffer =>
  parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();

interface Stone {
  readonly dropped_to: number;
  readonly hash: string;
  readonly nodes: readonly string[];
}

/** What retention left in place of the oldest records: where chain and tree go on. */
function stoneIn(folder: string): Stone {
  const file = join(folder, "tombstone.json");
  if (!existsSync(file)) return { dropped_to: 0, hash: "0".repeat(64), nodes: [] };
  return JSON.parse(readFileSync(file, "utf8")) as Stone;
}

/** The tree's perfect subtrees, the largest first: one for each 1 of the size's binary digits. */
function subtreesOf({ dropped_to, nodes }: Stone): { height: number; hash: Buffer }[] {
  const bits = dropped_to.toString(2);
  const ones = bits.split("").flatMap((bit, i) => (bit === "1" ? [bits.length - 1 - i] : []));
  const hashes = nodes.map((node) => Buffer.from(node, "base64"));
  if (hashes.length !== ones.length) throw new Error("the tombstone's nodes are no tree");
  return hashes.map((hash, i) => ({ height: ones[i] ?? 0, hash }));
}

function saysOf({ event, detail }: Said, { dropped_to, hash }: Stone): boolean {
  return event === "retention" && detail?.dropped_to === dropped_to && detail.hash === hash;
}

/** The chain of lines (`prev` is the SHA-256 of the line before), and the roots at some sizes. */
function readLog(folder: string, wanted: Set<number>, problems: string[]) {
  const stone = stoneIn(folder);
  const stack = subtreesOf(stone);
  const roots = new Map([[0, sha256("").toString("base64")]]);
  const rootNow = (): string =>
    stack
      .map(({ hash }) => hash)
      .reduceRight((right, left) => sha256("\x01", left, right))
      .toString("base64");
  let { hash: prev, dropped_to: seq } = stone;
  let said_at = seq === 0 ? 0 : Infinity;
  if (seq > 0) roots.set(seq, rootNow());
  const names = readdirSync(folder).filter(
    (name) => /^\d{12}\.jsonl$/.test(name) && Number(name.slice(0, 12)) > stone.dropped_to,
  );
  if (names.length === 0) problems.push("no segments");
  for (const name of names.toSorted()) {
    const file = readFileSync(join(folder, name));
    // Tabs at the end are room that was made ahead; of a crash, NULs. Bytes, one character each.
    const end = file.findLastIndex((byte) => byte !== 0 && byte !== 9) + 1;
    const lines = file.toString("latin1", 0, end).split("\n");
    if (lines.pop() !== "") problems.push(`${name} ends in the middle of a line`);
    for (const bytes of lines.map((line) => Buffer.from(line, "latin1"))) {
      seq++;
      const line = JSON.parse(bytes.toString("utf8")) as { seq: number; prev: string } & Said;
      if (saysOf(line, stone)) said_at = Math.min(said_at, seq);
      if (line.seq !== seq || line.prev !== prev) problems.push(`line ${seq} breaks the chain`);
      prev = sha256(bytes).toString("hex");
      let node = { height: 0, hash: sha256("\0", bytes) };
      for (let left = stack.at(-1); left?.height === node.height; left = stack.at(-1)) {
        node = { height: node.height + 1, hash: sha256("\x01", left.hash, node.hash) };
        stack.pop();
      }
      stack.push(node);
      if (!wanted.has(seq)) continue;
      roots.set(seq, rootNow());
    }
  }
  return { records: seq - stone.dropped_to, roots, dropped_to: stone.dropped_to, said_at };
}

/** `name+id+base64(0x01 || Ed25519 public key)`. */
function readKey(line: string): Key {
  const [, name = "", id, base64 = ""] = /^([^+]+)\+([^+]+)\+(.+)$/.exec(line) ?? [];
  const typed = Buffer.from(base64, "base64");
  const expected = sha256(`${name}\n`, typed).toString("hex").slice(0, 8);
  if (typed.toString("base64") === base64 && typed.length === 33 && id === expected) {
    return { line, name, id, raw: typed.subarray(1) };
  }
  throw new Error(`${JSON.stringify(line)} is no key`);
}

/** The key, of those, that signed `text` in this signature line; undefined for a stranger's. */
function signerIn(line: string, text: string, keys: readonly Key[]): Key | undefined {
  const [, name, base64 = ""] = line.split(" ");
  const bytes = Buffer.from(base64, "base64");
  if (bytes.toString("base64") !== base64) throw new Error("a signature is not base64");
  const id = bytes.toString("hex", 0, 4);
  const key = keys.find((known) => known.name === name && known.id === id);
  if (key === undefined) return undefined;
  const der = Buffer.concat([KEY_PREFIX, key.raw]);
  const public_key = createPublicKey({ key: der, format: "der", type: "spki" });
  if (verify(null, Buffer.from(text), public_key, bytes.subarray(4))) return key;
  throw new Error("a signature is wrong");
}

/** A note's text, a blank line, and signature lines; throws where no trusted key signed it. */
function readNote(note: string, trusted: readonly Key[]) {
  const [, text = "", origin, size, root, extra = "", lines = ""] = SIGNED.exec(note) ?? [];
  const handed = /^next-key (.+)$/m.exec(extra)?.[1];
  const next = handed === undefined ? undefined : readKey(handed);
  const keys = [...trusted, ...(next === undefined ? [] : [next])];
  const ours = keys.filter(({ name }) => name === origin);
  const found = lines.split("\n").flatMap((line) => signerIn(line, text, ours) ?? []);
  const signers = new Set(found.map((key) => key.line));
  // A key that hands over signs beside its successor, and nothing after that.
  const attested = next === undefined || signers.delete(next.line);
  if (!attested || signers.size === 0) throw new Error("is not signed by a key that counts");
  const left = trusted.filter((key) => !signers.has(key.line) && key.line !== next?.line);
  return { size: Number(size), root, keys: next === undefined ? trusted : [...left, next] };
}

/** Notes in what an anchor kept. A torn one there is not the log's fault. */
function keptIn(text: string): string[] {
  const posted = text
    .split(FRAME)
    .flatMap((part) => part.split(NEXT))
    .map((part) => part.replace(/\n*$/, "\n"));
  const said = text.match(ANCHOR_LINE) ?? [];
  const notes = said.map((line) => (JSON.parse(line) as { checkpoint: string }).checkpoint);
  return [...posted, ...notes].filter((note) => SIGNED.test(note));
}

function ownIn(file: string, expected: boolean, problems: string[]): string[] {
  const parts = existsSync(file) ? readFileSync(file, "utf8").split(FRAME) : [""];
  if (parts.pop() !== "") problems.push("the checkpoints end in the middle of one");
  if (parts.length === 0 && (existsSync(file) || expected)) problems.push("no checkpoints");
  return parts.map((part) => `${part}\n`);
}

export function verifyFiles(folder: string, keys_file?: string, anchors: string[] = []) {
  const problems: string[] = [];
  if (!statSync(folder).isDirectory()) throw new Error(`${folder} is not a folder`);
  const attempt = <T>(what: string, work: () => T, otherwise: T): T => {
    try {
      return work();
    } catch (error) {
      problems.push(`${what}: ${String(error)}`);
      return otherwise;
    }
  };
  const text = keys_file ?? join(folder, "keys.pub");
  const checkpoints = join(folder, "checkpoints");
  const own = attempt("checkpoints", () => ownIn(checkpoints, existsSync(text), problems), []);
  const [first] = own;
  const name = join(folder, "log_id");
  const named = (): void => {
    const id = readFileSync(name, "utf8").replace(/\n$/, "");
    if (first?.startsWith(`doorless/ledger/${id}\n`) !== true) throw new Error("is another log's");
  };
  if (first !== undefined && existsSync(name)) attempt("log_id", named, undefined);
  const kept = anchors.map((anchor) =>
    attempt("anchor", () => keptIn(readFileSync(anchor, "utf8")), []),
  );
  if (kept.some((notes) => notes.length === 0)) problems.push("an anchor holds no checkpoint");
  const sizes = [...own, ...kept.flat()].map((note) => Number(note.split("\n")[1]));
  const nothing = { records: 0, roots: new Map<number, string>(), dropped_to: 0, said_at: 0 };
  const { records, roots, dropped_to, said_at } = attempt(
    "log",
    () => readLog(folder, new Set(sizes), problems),
    nothing,
  );
  const lines = (): string[] => readFileSync(text, "utf8").replace(/\n$/, "").split("\n");
  const needed = keys_file !== undefined || sizes.length > 0;
  let keys: readonly Key[] = needed ? attempt("keys", () => lines().map(readKey), []) : [];
  const every = new Map(keys.map((key) => [key.line, key]));
  let newest = -1;
  let covered_to = 0;
  for (const note of own) {
    attempt(
      `checkpoint at ${note.split("\n")[1] ?? "?"}`,
      () => {
        const { size, root, keys: after } = readNote(note, keys);
        keys = after;
        for (const key of keys) every.set(key.line, key);
        if (size >= dropped_to && roots.get(size) !== root) throw new Error("is not of this log");
        if (size <= newest) throw new Error("does not grow");
        newest = size;
        // One of records that were dropped was compared with nothing.
        if (size >= dropped_to) covered_to = size;
      },
      undefined,
    );
  }
  if (said_at > covered_to) problems.push("no signed retention event says what was dropped");
  let anchored_to = 0;
  for (const note of kept.flat()) {
    attempt(
      `anchored at ${note.split("\n")[1] ?? "?"}`,
      () => {
        const { size, root } = readNote(note, [...every.values()]);
        if (size >= dropped_to && roots.get(size) !== root) throw new Error("is not of this log");
        if (size > covered_to) throw new Error("is ahead of the log's own checkpoints");
        anchored_to = Math.max(anchored_to, size);
      },
      undefined,
    );
  }
  return { problems, records, dropped_to, covered_to, anchored_to };
}

if (import.meta.main) {
  const options = { keys: { type: "string" }, anchor: { type: "string", multiple: true } } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  try {
    const { problems, ...report } = verifyFiles(positionals[0] ?? ".", values.keys, values.anchor);
    console.log(problems.length === 0 ? "intact" : "NOT intact", report);
    if (values.keys === undefined) console.log("keys beside the log show damage, no attacker");
    for (const problem of problems) console.log(problem);
    process.exitCode = problems.length === 0 ? 0 : 1;
  } catch (error) {
    console.error(String(error));
    process.exitCode = 2;
  }
}
