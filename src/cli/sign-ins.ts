// Who is signed in on this machine, for `stdio` and `call`: one encrypted file per user, whose key
// is in the keychain, or in a file elsewhere where there is none. Several IDEs share it; one
// refreshes at a time, and what it got is on the disk before anybody uses it.
import { randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { unwatchFile, watchFile } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { decrypt, encrypt } from "../delegation/aead.ts";
import { openNativeClient, SignInEnded } from "../identity/native.ts";
import { Secret } from "../kernel/secret.ts";
import { openKey } from "../store/folders.ts";
import type { SignedIn } from "../mcp/side.ts";
import { FolderInUse, lockFolder } from "../store/lock.ts";
import { findKeychain } from "./keychain.ts";
import { EXIT, Stop } from "./output.ts";

const MARGIN_MS = 30_000;
const LOCK_WAIT_MS_MAX = 20_000;
const WATCH_MS = 500;
const CONTEXT = Buffer.from("doorless-sign-ins-v1");

/** One person's sign-in at one provider, for agents of one doorless. */
export interface StoredSignIn {
  readonly issuer: string;
  readonly client_id: string;
  readonly refresh_token: string;
  readonly subject: string | undefined;
  readonly name: string | undefined;
  readonly since_ms: number;
  /** By the agent's URL: its scopes, and the access token last got for it. */
  readonly resources: Readonly<
    Record<string, { scopes: readonly string[]; token?: string; expires_ms?: number }>
  >;
}

interface SealedFile {
  readonly key: "keychain" | "file";
  readonly sealed: string;
}

export class SignIns {
  private readonly folder: string;
  private readonly key_file: string;
  private key: { from: SealedFile["key"]; bytes: Buffer } | undefined;

  constructor(environment: NodeJS.ProcessEnv = process.env) {
    const { state, config } = placesOf(environment);
    this.folder = state;
    this.key_file = join(config, "sign-in.key");
  }

  /** What is kept now. Throws `Stop` where it cannot be opened. */
  read(): readonly StoredSignIn[] {
    let text: string;
    try {
      text = readFileSync(this.file, "utf8");
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" || code === "ENOTDIR") return [];
      throw error;
    }
    const { key: from, sealed } = JSON.parse(text) as SealedFile;
    const plain = decrypt(this.keyFrom(from), Buffer.from(sealed, "base64url"), CONTEXT);
    if (plain === undefined) throw this.unreadable("it was changed, or its key was");
    return JSON.parse(plain.toString("utf8")) as StoredSignIn[];
  }

  /** Where the key of the file is kept, in words. */
  get place(): string {
    const where = this.key?.from === "keychain" ? "the keychain" : this.key_file;
    return `${this.file}, encrypted; its key in ${where}`;
  }

  /** Changes what is kept, alone among all processes. */
  async change(to: (before: readonly StoredSignIn[]) => readonly StoredSignIn[]): Promise<void> {
    await this.alone(async () => this.write(to(this.read())));
  }

  /** Whether somebody is signed in, and not for this agent's URL. */
  isForOthers(resource: string): boolean {
    const all = this.read();
    return all.length > 0 && signInFor(all, resource) === undefined;
  }

  /** Hears when another sign-in, or none, is there for the agent. Answers with how to stop. */
  onChange(resource: string, tell: () => void): () => void {
    let before = this.whoFor(resource);
    const look = (): void => {
      const now = this.whoFor(resource);
      if (now === before) return;
      before = now;
      tell();
    };
    watchFile(this.file, { interval: WATCH_MS, persistent: false }, look);
    return () => unwatchFile(this.file, look);
  }

  private whoFor(resource: string): string | undefined {
    try {
      const found = signInFor(this.read(), resource);
      return found && nameOf(found);
    } catch {
      // It cannot be opened: who asks for a token hears why.
      return undefined;
    }
  }

  /** An access token for an agent's URL, refreshed where need be; `undefined` where signed out. */
  async tokenFor(resource: string): Promise<SignedIn | undefined> {
    const kept = freshIn(this.read(), resource);
    if (kept !== undefined) return kept;
    if (signInFor(this.read(), resource) === undefined) return undefined;
    return this.alone(() => this.refresh(resource));
  }

  /** The server did not take this token: the next one is fetched anew. */
  async forgetToken(resource: string): Promise<void> {
    await this.change((before) =>
      before.map((one) => {
        const about = one.resources[resource];
        if (about === undefined) return one;
        return { ...one, resources: { ...one.resources, [resource]: { scopes: about.scopes } } };
      }),
    );
  }

  private async refresh(resource: string): Promise<SignedIn | undefined> {
    const before = this.read();
    const kept = freshIn(before, resource);
    if (kept !== undefined) return kept;
    const mine = signInFor(before, resource);
    const about = mine?.resources[resource];
    if (mine === undefined || about === undefined) return undefined;
    const others = before.filter((one) => one !== mine);
    const client = await openNativeClient(mine.issuer, mine.client_id);
    try {
      const old = new Secret(mine.refresh_token);
      const got = await client.refresh(old, resource, about.scopes);
      const token = got.access_token.reveal();
      const renewed = { scopes: about.scopes, token, expires_ms: got.expires_ms };
      const next = {
        ...mine,
        refresh_token: got.refresh_token?.reveal() ?? mine.refresh_token,
        resources: { ...mine.resources, [resource]: renewed },
      };
      // On the disk before it is used: the old refresh token may be dead from here on.
      this.write([...others, next]);
      return { token: got.access_token, who: nameOf(mine) };
    } catch (error) {
      if (!(error instanceof SignInEnded)) throw error;
      this.write(others);
      return undefined;
    } finally {
      await client.close();
    }
  }

  private get file(): string {
    return join(this.folder, "sign-ins.json");
  }

  private write(all: readonly StoredSignIn[]): void {
    if (all.length === 0) {
      rmSync(this.file, { force: true });
      return;
    }
    this.key ??= this.anyKey();
    const { from, bytes } = this.key;
    const sealed = encrypt(bytes, Buffer.from(JSON.stringify(all)), CONTEXT).toString("base64url");
    const draft = `${this.file}.${randomUUID()}`;
    const text = JSON.stringify({ key: from, sealed } satisfies SealedFile);
    writeFileSync(draft, text, { mode: 0o600, flag: "wx", flush: true });
    renameSync(draft, this.file);
  }

  private keyFrom(from: SealedFile["key"]): Buffer {
    if (this.key?.from === from) return this.key.bytes;
    const text = from === "keychain" ? findKeychain()?.get() : undefined;
    if (from === "keychain" && text === undefined) throw this.unreadable("the keychain is shut");
    const bytes = text === undefined ? openKey(this.key_file) : Buffer.from(text, "base64url");
    this.key = { from, bytes };
    return bytes;
  }

  // The keychain where there is one; never the plain text.
  private anyKey(): { from: SealedFile["key"]; bytes: Buffer } {
    const keychain = findKeychain();
    const kept = keychain?.get();
    if (kept !== undefined && kept !== "") {
      return { from: "keychain", bytes: Buffer.from(kept, "base64url") };
    }
    const fresh = randomBytes(32);
    if (keychain?.set(fresh.toString("base64url")) === true)
      return { from: "keychain", bytes: fresh };
    return { from: "file", bytes: openKey(this.key_file) };
  }

  private unreadable(why: string): Stop {
    const mend = "open the keychain, or remove the file and run `doorless login`";
    return new Stop(EXIT.sign_in, `${this.file} cannot be read: ${why}; ${mend}`);
  }

  private async alone<T>(work: () => Promise<T>): Promise<T> {
    this.make();
    const until_ms = performance.now() + LOCK_WAIT_MS_MAX;
    for (;;) {
      try {
        const lock = lockFolder(this.folder);
        try {
          return await work();
        } finally {
          lock.release();
        }
      } catch (error) {
        if (!(error instanceof FolderInUse) || performance.now() > until_ms) throw error;
        await sleep(20 + Math.random() * 30);
      }
    }
  }

  private make(): void {
    try {
      for (const folder of [this.folder, dirname(this.key_file)]) {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
      }
    } catch (error) {
      const why = `sign-ins cannot be kept: ${(error as Error).message}`;
      throw new Stop(EXIT.usage, `${why}; set DOORLESS_HOME to a folder of your own`);
    }
  }
}

function signInFor(all: readonly StoredSignIn[], resource: string): StoredSignIn | undefined {
  return all.find((one) => one.resources[resource] !== undefined);
}

/** Names one sign-in: whoever signs in anew is another. */
function nameOf({ issuer, subject, since_ms }: StoredSignIn): string {
  return `${issuer}#${subject ?? "?"}#${since_ms}`;
}

function freshIn(all: readonly StoredSignIn[], resource: string): SignedIn | undefined {
  const mine = signInFor(all, resource);
  const { token, expires_ms = 0 } = mine?.resources[resource] ?? {};
  if (mine === undefined || token === undefined) return undefined;
  if (Date.now() >= expires_ms - MARGIN_MS) return undefined;
  return { token: new Secret(token), who: nameOf(mine) };
}

function placesOf(environment: NodeJS.ProcessEnv): { state: string; config: string } {
  const own = environment["DOORLESS_HOME"];
  if (own !== undefined && own !== "") return { state: own, config: join(own, "keys") };
  const home = homedir();
  const state = environment["XDG_STATE_HOME"] ?? join(home, ".local", "state");
  const config = environment["XDG_CONFIG_HOME"] ?? join(home, ".config");
  return { state: join(state, "doorless"), config: join(config, "doorless") };
}
