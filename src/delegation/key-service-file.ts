// The local key service: keys in one file, outside the data folder, so that a stolen data folder
// or its backup opens nothing. The file is made when the first link is stored.
import { randomBytes, randomUUID } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { z } from "zod";
import { own } from "../kernel/own.ts";
import { decrypt, encrypt } from "./aead.ts";
import { KeyRefused } from "./key-service.ts";
import type { KeyService } from "./key-service.ts";

const KEY_BYTES = 32;
const key = z.base64url().refine((text) => Buffer.from(text, "base64url").length === KEY_BYTES);
const ringSchema = z
  .strictObject({ current: z.string(), keys: z.record(z.string(), key) })
  .refine((ring) => Object.hasOwn(ring.keys, ring.current));

type Ring = z.infer<typeof ringSchema>;

export function openKeyFile(file: string): KeyService {
  return new KeyFile(file);
}

class KeyFile implements KeyService {
  private readonly file: string;
  private known: Ring | undefined;

  constructor(file: string) {
    this.file = file;
  }

  async wrap(plain: Buffer, context: Buffer) {
    const ring = this.known ?? this.read() ?? this.create();
    const bytes = encrypt(this.keyOf(ring, ring.current), plain, context);
    return { kid: ring.current, bytes };
  }

  async unwrap({ kid, bytes }: { kid: string; bytes: Buffer }, context: Buffer): Promise<Buffer> {
    let ring = this.known ?? this.read();
    // Another process may have made a new key since.
    if (ring === undefined || own(ring.keys, kid) === undefined) ring = this.read();
    if (ring === undefined) throw new KeyRefused(`${this.file} is not there`);
    const plain = decrypt(this.keyOf(ring, kid), bytes, context);
    if (plain === undefined) throw new KeyRefused("a wrapped key does not open");
    return plain;
  }

  async current(): Promise<string> {
    return (this.read() ?? this.create()).current;
  }

  async rotate(): Promise<string> {
    const ring = this.read() ?? this.create();
    const kid = newKid();
    this.write({ current: kid, keys: { ...ring.keys, [kid]: newKey() } });
    return kid;
  }

  async forgetOthers(): Promise<void> {
    const ring = this.read();
    if (ring === undefined) return;
    const { current } = ring;
    this.write({ current, keys: { [current]: ring.keys[current] ?? "" } });
  }

  private keyOf(ring: Ring, kid: string): Buffer {
    const text = own(ring.keys, kid);
    if (text === undefined) throw new KeyRefused(`${this.file} has no key ${kid}`);
    return Buffer.from(text, "base64url");
  }

  private read(): Ring | undefined {
    let text: string;
    try {
      text = readFileSync(this.file, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
    const parsed = ringSchema.safeParse(parse(text));
    if (!parsed.success) throw new KeyRefused(`${this.file} is not a file of vault keys`);
    this.known = parsed.data;
    return parsed.data;
  }

  // Of two processes that make the first key, one wins and both use its key.
  private create(): Ring {
    const kid = newKid();
    const draft = this.draft({ current: kid, keys: { [kid]: newKey() } });
    try {
      linkSync(draft, this.file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    } finally {
      rmSync(draft);
    }
    const ring = this.read();
    if (ring === undefined) throw new KeyRefused(`${this.file} cannot be made`);
    return ring;
  }

  private write(ring: Ring): void {
    renameSync(this.draft(ring), this.file);
    this.known = ring;
  }

  // Whole and on the disk before it has its name.
  private draft(ring: Ring): string {
    mkdirSync(dirname(this.file), { recursive: true, mode: 0o700 });
    const draft = `${this.file}.${randomUUID()}`;
    writeFileSync(draft, `${JSON.stringify(ring)}\n`, { mode: 0o600, flag: "wx", flush: true });
    return draft;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function newKid(): string {
  return `vk_${randomBytes(6).toString("hex")}`;
}

function newKey(): string {
  return randomBytes(KEY_BYTES).toString("base64url");
}
