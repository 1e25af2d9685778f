// Strict JSON: RFC 8259 with every bound named, and no key given twice (DESIGN section 4, web).
// One parser for requests (limits) and for configuration (positions of each value).

export interface JsonLimits {
  readonly depth_max: number;
  readonly keys_max: number;
}

/** Where a value stands in its file; lines and columns count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface JsonDocument {
  readonly value: unknown;
  /** The position of the value at a JSON pointer (RFC 6901), or of its nearest parent. */
  at(pointer: string): Position;
}

export class JsonError extends Error {
  override readonly name = "JsonError";
  readonly position: Position;
  constructor(message: string, position: Position) {
    super(`${message} at line ${position.line}, column ${position.column}`);
    this.position = position;
  }
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// A run of characters that a string may hold unescaped (RFC 8259 section 7).
// oxlint-disable-next-line no-control-regex
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPES: Readonly<Record<string, string>> = Object.freeze({
  __proto__: null,
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
} as unknown as Record<string, string>);

class Parser {
  private readonly text: string;
  private readonly limits: JsonLimits;
  private readonly offsets: Map<string, number> | undefined;
  private i = 0;
  private keys = 0;

  constructor(text: string, limits: JsonLimits, offsets?: Map<string, number>) {
    this.text = text;
    this.limits = limits;
    this.offsets = offsets;
  }

  document(): unknown {
    const value = this.value("", 0);
    this.space();
    if (this.i < this.text.length) this.fail("unexpected text after the value");
    return value;
  }

  private fail(message: string): never {
    throw new JsonError(message, positionAmong(lineStartsIn(this.text), this.i));
  }

  private space(): void {
    for (; ; this.i++) {
      const c = this.text.charCodeAt(this.i);
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return;
    }
  }

  private value(pointer: string, depth: number): unknown {
    this.space();
    this.offsets?.set(pointer, this.i);
    switch (this.text[this.i]) {
      case "{":
        return this.object(pointer, this.deeper(depth));
      case "[":
        return this.array(pointer, this.deeper(depth));
      case '"':
        return this.string();
      case "t":
        return this.literal("true", true);
      case "f":
        return this.literal("false", false);
      case "n":
        return this.literal("null", null);
      default:
        return this.number();
    }
  }

  private deeper(depth: number): number {
    if (depth >= this.limits.depth_max) {
      this.fail(`nested deeper than ${this.limits.depth_max} levels`);
    }
    return depth + 1;
  }

  private object(pointer: string, depth: number): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    this.i++;
    this.space();
    if (this.take("}")) return object;
    do {
      this.space();
      if (this.text[this.i] !== '"') this.fail("expected a key in double quotes");
      const key = this.string();
      // Two parsers that disagree on which twin wins are how a filter is walked around.
      if (Object.hasOwn(object, key))
        this.fail(`the key ${JSON.stringify(key.slice(0, 64))} is given twice`);
      if (key === "__proto__") this.fail('the key "__proto__" is not allowed');
      if (++this.keys > this.limits.keys_max) this.fail(`more than ${this.limits.keys_max} keys`);
      this.space();
      if (!this.take(":")) this.fail('expected ":"');
      object[key] = this.value(this.child(pointer, key), depth);
      this.space();
    } while (this.take(","));
    if (!this.take("}")) this.fail('expected "," or "}"');
    return object;
  }

  private array(pointer: string, depth: number): unknown[] {
    const array: unknown[] = [];
    this.i++;
    this.space();
    if (this.take("]")) return array;
    do {
      if (++this.keys > this.limits.keys_max) this.fail(`more than ${this.limits.keys_max} items`);
      array.push(this.value(this.child(pointer, String(array.length)), depth));
      this.space();
    } while (this.take(","));
    if (!this.take("]")) this.fail('expected "," or "]"');
    return array;
  }

  private child(pointer: string, key: string): string {
    return this.offsets === undefined ? "" : pointerTo(pointer, key);
  }

  private string(): string {
    this.i++;
    let out = "";
    for (;;) {
      PLAIN.lastIndex = this.i;
      const plain = PLAIN.exec(this.text)?.[0] ?? "";
      out += plain;
      this.i += plain.length;
      const c = this.text[this.i];
      if (c === '"') {
        this.i++;
        return out;
      }
      if (c !== "\\") this.fail(c === undefined ? "unterminated string" : "control character");
      out += this.escape();
    }
  }

  private escape(): string {
    const c = this.text[this.i + 1] ?? "";
    if (c === "u") {
      const hex = this.text.slice(this.i + 2, this.i + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) this.fail("bad \\u escape");
      this.i += 6;
      return String.fromCharCode(Number.parseInt(hex, 16));
    }
    const plain = ESCAPES[c];
    if (plain === undefined) this.fail("bad escape");
    this.i += 2;
    return plain;
  }

  private literal<T>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.i)) this.fail("not a JSON value");
    this.i += word.length;
    return value;
  }

  private number(): number {
    NUMBER.lastIndex = this.i;
    const digits = NUMBER.exec(this.text)?.[0];
    if (digits === undefined) {
      this.fail(this.i >= this.text.length ? "unexpected end" : "not a JSON value");
    }
    this.i += digits.length;
    const value = Number(digits);
    if (!Number.isFinite(value)) this.fail("the number is too large");
    return value;
  }

  private take(c: string): boolean {
    if (this.text[this.i] !== c) return false;
    this.i++;
    return true;
  }
}

/** Appends one key to a JSON pointer (RFC 6901 section 3). */
export function pointerTo(pointer: string, key: string): string {
  return `${pointer}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** The keys of a JSON pointer; none where the value as a whole is meant. */
export function tokensOf(pointer: string): readonly string[] {
  const written = pointer === "" ? [] : pointer.slice(1).split("/");
  return written.map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function lineStartsIn(text: string): readonly number[] {
  return [0, ...Array.from(text.matchAll(/\n/g), ({ index }) => index + 1)];
}

function positionAmong(lines: readonly number[], offset: number): Position {
  let [low, high] = [0, lines.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((lines[middle] ?? 0) <= offset) low = middle;
    else high = middle;
  }
  return { line: low + 1, column: offset - (lines[low] ?? 0) + 1 };
}

/** Decodes UTF-8 strictly: a byte that is not UTF-8 is an error, not a replacement character. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new JsonError("not UTF-8", { line: 1, column: 1 });
  }
}

/** Parses within the limits, or throws `JsonError`. Numbers are IEEE doubles. */
export function parseJson(text: string, limits: JsonLimits): unknown {
  return new Parser(text, limits).document();
}

/** The same, remembering where each value stands. */
export function parseJsonDocument(text: string, limits: JsonLimits): JsonDocument {
  const offsets = new Map<string, number>();
  const value = new Parser(text, limits, offsets).document();
  // Thousands of rules ask for their lines: each is a search among the lines' beginnings.
  const lines = lineStartsIn(text);
  const at = (pointer: string): Position => {
    for (let p = pointer; ; p = p.slice(0, p.lastIndexOf("/"))) {
      const offset = offsets.get(p);
      if (offset !== undefined) return positionAmong(lines, offset);
    }
  };
  return { value, at };
}

/** The value at a JSON pointer, own properties only; `undefined` where there is none. */
export function valueAt(value: unknown, pointer: string): unknown {
  let here = value;
  for (const key of tokensOf(pointer)) {
    if (here === null || typeof here !== "object" || !Object.hasOwn(here, key)) return undefined;
    here = (here as Record<string, unknown>)[key];
  }
  return here;
}
