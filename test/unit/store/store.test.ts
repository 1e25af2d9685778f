// The data folder: private, owned once, with keys that stay; and a cache that forgets.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Keyv } from "keyv";
import { describe, expect, test } from "vitest";
import { CacheUnavailable, createCache, strict } from "../../../src/store/cache.ts";
import { openFolders, openKey } from "../../../src/store/folders.ts";
import { FolderInUse, lockFolder, LockDamaged } from "../../../src/store/lock.ts";
import { put, testFolder } from "../../setup/minimal.ts";
import { verifies } from "../../verifies.ts";

const modeOf = (path: string): number => statSync(path).mode & 0o777;

describe("folders", () => {
  test("are their owner's alone, also where they were not before", () => {
    const data = join(testFolder(), "data");
    put(data, "ledger/x", "");
    const folders = openFolders(data);
    for (const folder of Object.values(folders)) expect(modeOf(folder)).toBe(0o700);
  });

  test("a key is made once, private, and read again", () => {
    const file = join(testFolder(), "keys", "one.key");
    const key = openKey(file);
    expect(key).toHaveLength(32);
    expect(modeOf(file)).toBe(0o600);
    expect(openKey(file)).toEqual(key);
    expect(readFileSync(file, "utf8")).not.toContain(key.toString("latin1"));
  });

  test("a key file that holds something else is an error, not a new key", () => {
    const file = put(testFolder(), "one.key", "c2hvcnQ\n");
    expect(() => openKey(file)).toThrow(/does not hold a 32-byte key/);
    writeFileSync(file, "");
    expect(() => openKey(file)).toThrow(/does not hold a 32-byte key/);
  });
});

describe("lock", () => {
  test("a folder has one owner at a time, and the next after it", () => {
    const folder = testFolder();
    const lock = lockFolder(folder);
    expect(() => lockFolder(folder)).toThrow(FolderInUse);
    lock.release();
    lockFolder(folder).release();
  });

  test("what cannot be locked locks nobody out silently: it is named, and stays", () => {
    const [folder, other] = [testFolder(), testFolder()];
    const file = put(folder, "lock", "12345\n");
    mkdirSync(join(other, "lock"));
    for (const [one, why] of [
      [folder, "file is not a database"],
      [other, "unable to open database file"],
    ] as const) {
      const said = `${join(one, "lock")} is no lock of doorless (${why})`;
      expect(() => lockFolder(one)).toThrow(LockDamaged);
      expect(() => lockFolder(one)).toThrow(said);
      expect(() => lockFolder(one)).toThrow("remove it");
    }
    expect(readFileSync(file, "utf8")).toBe("12345\n");
  });

  test("a process that dies gives the folder back", () => {
    const folder = testFolder();
    const program =
      'import { lockFolder } from "./src/store/lock.ts";' +
      'lockFolder(process.env.FOLDER); process.kill(process.pid, "SIGKILL");';
    const run = spawnSync(process.execPath, ["--input-type=module-typescript", "-e", program], {
      cwd: resolve(import.meta.dirname, "../../.."),
      env: { FOLDER: folder },
    });
    expect(run.signal).toBe("SIGKILL");
    lockFolder(folder).release();
  });
});

describe("cache", () => {
  test("keeps what it is told by reference, until deleted or cleared", async () => {
    const cache = createCache<object>(10);
    const value = {};
    await cache.set("a", value, 60_000);
    await cache.set("b", value, 60_000);
    expect(await cache.get("a")).toBe(value);
    await cache.delete("a");
    expect(await cache.get("a")).toBeUndefined();
    await cache.clear();
    expect(await cache.get("b")).toBeUndefined();
  });

  test("what has no time left is not kept", async () => {
    const cache = createCache<number>(10);
    await cache.set("a", 1, 0);
    await cache.set("b", 1, -5);
    expect([await cache.get("a"), await cache.get("b")]).toEqual([undefined, undefined]);
    await cache.set("c", 1, 1);
    await new Promise((done) => setTimeout(done, 10));
    expect(await cache.get("c")).toBeUndefined();
  });

  test("drops the oldest rather than grow", async () => {
    const cache = createCache<number>(3);
    for (const [i, key] of ["a", "b", "c", "a", "d"].entries()) await cache.set(key, i, 60_000);
    const kept = await Promise.all(["a", "b", "c", "d"].map((key) => cache.get(key)));
    expect(kept).toEqual([3, undefined, 2, 4]);
  });
});

/** A store whose network is gone. */
const BROKEN = {
  get: () => Promise.reject(new Error("ECONNRESET")),
  set: () => Promise.reject(new Error("ECONNRESET")),
  delete: () => Promise.reject(new Error("ECONNRESET")),
  clear: () => Promise.reject(new Error("ECONNRESET")),
};

verifies("vault.cache", "a store that fails is no miss: each operation throws", async () => {
  const cache = strict(new Keyv<string>({ store: BROKEN }));
  await expect(cache.get("a")).rejects.toBeInstanceOf(CacheUnavailable);
  await expect(cache.set("a", "b", 1000)).rejects.toBeInstanceOf(CacheUnavailable);
  await expect(cache.delete("a")).rejects.toBeInstanceOf(CacheUnavailable);
  await expect(cache.clear()).rejects.toBeInstanceOf(CacheUnavailable);
});
