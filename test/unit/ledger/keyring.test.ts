// One key per person: durable before it is used, shut to whoever swaps rows, gone when erased.
import { cpSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { framed } from "../../../src/kernel/ids.ts";
import { KeyringDamaged } from "../../../src/ledger/keyring.ts";
import type { Keyring, Who } from "../../../src/ledger/keyring.ts";
import { testFolder } from "../../setup/minimal.ts";
import { countIn, filesIn, GIL, MIA, OMAR, openRing } from "./ring.ts";

const bytesOf = (keyring: Keyring, who: Who): Buffer => keyring.keyFor(who).key.export();

/** Changes the file behind the keyring's back; nobody has it open. */
function change(data: string, sql: string): void {
  const db = new DatabaseSync(join(data, "subjects.sqlite"));
  db.exec(sql);
  db.close();
}

function wrappedOf(data: string, key_id: string): Uint8Array {
  const db = new DatabaseSync(join(data, "subjects.sqlite"), { readOnly: true });
  const row = db.prepare("SELECT wrapped FROM subject_keys WHERE key_id = ?").get(key_id);
  db.close();
  return row?.["wrapped"] as Uint8Array;
}

test("a file that is no keyring is named", () => {
  const { data, keyring } = openRing();
  keyring.close();
  writeFileSync(join(data, "subjects.sqlite"), "no database ".repeat(99));
  expect(() => openRing(data)).toThrow(/subjects\.sqlite cannot be read: put it back/);
});

describe("a key", () => {
  test("is one person's alone, and the same at every look", () => {
    const { keyring } = openRing();
    const people = [MIA, OMAR, GIL, { ...MIA, tenant: null }, { ...MIA, tenant: "" }];
    const others = [
      { ...MIA, tenant: "globex" },
      { ...MIA, issuer: "https://other.test" },
    ];
    const keys = [...people, ...others].map((who) => keyring.keyFor(who));
    expect(new Set(keys.map(({ key_id }) => key_id)).size).toBe(7);
    expect(new Set(keys.map(({ key }) => key.export().toString("hex"))).size).toBe(7);
    for (const key of keys) expect(key.key_id).toMatch(/^key_[\w-]{16}$/);
    expect(keyring.keyFor({ ...MIA })).toBe(keys[0]);
    expect(keyring.find(keys[1]?.key_id ?? "")).toBe(keys[1]);
    expect(keyring.find("key_0000000000000000")).toBeUndefined();
  });

  test("has 32 bytes that nothing prints", () => {
    const { keyring } = openRing();
    const key = keyring.keyFor(MIA);
    const bytes = key.key.export();
    expect(bytes).toHaveLength(32);
    expect(bytes).not.toEqual(Buffer.alloc(32));
    expect(JSON.stringify(key)).toBe(JSON.stringify({ key_id: key.key_id, key: {} }));
  });

  test("is found again after a restart, and when it was forgotten meanwhile", () => {
    const { data, keyring } = openRing();
    const [mia, omar] = [bytesOf(keyring, MIA), bytesOf(keyring, OMAR)];
    const { key_id } = keyring.keyFor(MIA);
    keyring.close();
    const small = openRing(data, 1).keyring;
    for (const _ of [1, 2]) {
      expect(bytesOf(small, MIA)).toEqual(mia);
      expect(bytesOf(small, OMAR)).toEqual(omar);
      expect(small.find(key_id)?.key.export()).toEqual(mia);
    }
  });

  test("is on the disk before it is returned: a copy of the files opens it", () => {
    const { data, keyring } = openRing();
    const mia = bytesOf(keyring, MIA);
    const copy = testFolder();
    cpSync(data, copy, { recursive: true });
    expect(bytesOf(openRing(copy).keyring, MIA)).toEqual(mia);
  });

  test("lies wrapped in a file of its owner's, and its bytes in none", () => {
    const { data, keyring } = openRing();
    const mia = bytesOf(keyring, MIA);
    expect(statSync(join(data, "subjects.sqlite")).mode & 0o777).toBe(0o600);
    expect(statSync(join(data, "keys/ledger-master.key")).mode & 0o777).toBe(0o600);
    expect(filesIn(data).size).toBeGreaterThanOrEqual(2);
    for (const form of [mia, mia.toString("base64url"), mia.toString("hex")]) {
      expect(countIn(data)(Buffer.from(form))).toBe(0);
    }
    expect(countIn(data)(wrappedOf(data, keyring.keyFor(MIA).key_id))).toBe(1);
  });
});

describe("a file that was changed", () => {
  const swapped = (column: string): string =>
    `CREATE TEMP TABLE before AS SELECT id, ${column} FROM subject_keys;
     UPDATE subject_keys SET ${column} =
       (SELECT b.${column} FROM before b WHERE b.id = 3 - subject_keys.id)`;
  const SWAPS = {
    "its wrapped bytes swapped": swapped("wrapped"),
    "its people swapped": swapped("subject"),
    "a tenant taken away": "UPDATE subject_keys SET tenant = NULL",
    "a byte turned": "UPDATE subject_keys SET wrapped = x'000102' || substr(wrapped, 4)",
    "a shorter key": "UPDATE subject_keys SET wrapped = substr(wrapped, 1, 59)",
  };
  test.each(Object.entries(SWAPS))("%s: the keys do not open", (_, sql) => {
    const { data, keyring } = openRing();
    const ids = [MIA, OMAR].map((who) => keyring.keyFor(who).key_id);
    keyring.close();
    change(data, sql);
    const again = openRing(data).keyring;
    for (const id of ids) expect(() => again.find(id)).toThrow(KeyringDamaged);
    if (!sql.includes("tenant")) expect(() => again.keyFor(MIA)).toThrow(KeyringDamaged);
  });

  test("key ids swapped: the keys do not open", () => {
    const { data, keyring } = openRing();
    const [mia, omar] = [MIA, OMAR].map((who) => keyring.keyFor(who).key_id);
    keyring.close();
    change(
      data,
      `UPDATE subject_keys SET key_id = 'x' WHERE key_id = '${mia}';
       UPDATE subject_keys SET key_id = '${mia}' WHERE key_id = '${omar}';
       UPDATE subject_keys SET key_id = '${omar}' WHERE key_id = 'x'`,
    );
    const again = openRing(data).keyring;
    expect(() => again.find(mia ?? "")).toThrow(KeyringDamaged);
    expect(() => again.keyFor(OMAR)).toThrow(/does not open: it was changed/);
  });

  test("a key that was erased cannot be called alive again", () => {
    const { data, keyring } = openRing();
    const { key_id } = keyring.keyFor(MIA);
    keyring.erase(MIA);
    keyring.close();
    change(data, "UPDATE subject_keys SET live = 1");
    expect(() => openRing(data).keyring.find(key_id)).toThrow(KeyringDamaged);
  });

  test("a master key that is lost or another stops the start, and is not made anew", () => {
    const { data, keyring } = openRing();
    const mia = bytesOf(keyring, MIA);
    keyring.close();
    const file = join(data, "keys/ledger-master.key");
    const master = readFileSync(file);
    rmSync(file);
    expect(() => openRing(data)).toThrow(/ledger-master.key is missing: put it back/);
    writeFileSync(file, Buffer.alloc(32, 1).toString("base64url"));
    expect(() => openRing(data)).toThrow(/is not the key that subjects.sqlite was written with/);
    writeFileSync(file, master);
    expect(bytesOf(openRing(data).keyring, MIA)).toEqual(mia);
  });

  test("a check of the master key that was taken away stops the start", () => {
    const { data, keyring } = openRing();
    keyring.keyFor(MIA);
    keyring.close();
    change(data, "DELETE FROM master");
    expect(() => openRing(data)).toThrow(KeyringDamaged);
  });

  test("a file of a later version is not touched", () => {
    const { data, keyring } = openRing();
    keyring.close();
    change(data, "PRAGMA user_version = 2");
    expect(() => openRing(data)).toThrow(/of a version that this doorless does not know/);
  });
});

describe("erasure", () => {
  test("leaves a tombstone, and a new key for what comes after", () => {
    const { data, keyring, clock } = openRing();
    const first = keyring.keyFor(MIA);
    const created_at = new Date(clock.now()).toISOString();
    clock.ms += 1000;
    const erased_at = new Date(clock.now()).toISOString();
    expect(keyring.erase(MIA)).toBe("erased");
    expect(keyring.erase(MIA)).toBe("unknown");
    expect(keyring.find(first.key_id)).toBeUndefined();
    expect(keyring.erasedAt(first.key_id)).toBe(erased_at);
    expect(keyring.history(MIA)).toEqual([{ key_id: first.key_id, created_at, erased_at }]);
    const second = keyring.keyFor(MIA);
    expect(second.key_id).not.toBe(first.key_id);
    expect(second.key.export()).not.toEqual(first.key.export());
    keyring.close();
    const again = openRing(data).keyring;
    expect(again.find(first.key_id)).toBeUndefined();
    expect(again.erasedAt(first.key_id)).toBe(erased_at);
    expect(again.erasedAt(second.key_id)).toBeUndefined();
    expect(again.keyFor(MIA).key_id).toBe(second.key_id);
    expect(again.history(MIA).map(({ key_id }) => key_id)).toEqual([first.key_id, second.key_id]);
  });

  test("of nobody, or of somebody else, destroys nothing", () => {
    const { keyring } = openRing();
    const mia = keyring.keyFor(MIA);
    for (const who of [OMAR, { ...MIA, tenant: null }, { ...MIA, tenant: "globex" }]) {
      expect(keyring.erase(who)).toBe("unknown");
    }
    expect(keyring.keyFor(MIA)).toBe(mia);
  });

  test("leaves the key's bytes in no file, wrapped or not, among hundreds of others", () => {
    const { data, keyring } = openRing();
    const people = Array.from({ length: 150 }, (_, i): Who => ({ ...MIA, subject: `p${i * 79}` }));
    const keys = people.map((who) => keyring.keyFor(who));
    const wrapped = keys.map(({ key_id }) => wrappedOf(data, key_id));
    // Each stands exactly once: no page split, journal or moved row keeps a second copy.
    expect(wrapped.map(countIn(data))).toEqual(wrapped.map(() => 1));
    const chosen = new Set([0, 1, 20, 21, 22, 75, 148, 149]);
    const bytes = [...chosen].map((i) => keys[i]?.key.export() ?? Buffer.alloc(0));
    for (const i of chosen) expect(keyring.erase(people[i] ?? MIA)).toBe("erased");
    expect(wrapped.map(countIn(data))).toEqual(wrapped.map((_, i) => (chosen.has(i) ? 0 : 1)));
    // Not a part of the ciphertext either, that a rewritten row could leave behind.
    const parts = [...chosen].flatMap((i) => [
      wrapped[i]?.subarray(12, 28) ?? Buffer.alloc(0),
      wrapped[i]?.subarray(-16) ?? Buffer.alloc(0),
    ]);
    expect([...parts, ...bytes].map(countIn(data))).toEqual([...parts, ...bytes].map(() => 0));
  });

  test("that the disk refuses leaves the key as it was", () => {
    const { data, keyring } = openRing();
    const { key_id } = keyring.keyFor(MIA);
    const mia = bytesOf(keyring, MIA);
    const other = new DatabaseSync(join(data, "subjects.sqlite"));
    other.exec("BEGIN IMMEDIATE");
    expect(() => keyring.erase(MIA)).toThrow(/locked/);
    expect(() => keyring.keyFor(OMAR)).toThrow(/locked/);
    other.close();
    expect(keyring.find(key_id)?.key.export()).toEqual(mia);
    expect(keyring.erase(MIA)).toBe("erased");
  });
});

describe("a legal hold", () => {
  test("refuses the erasure until it is released, also after a restart", () => {
    const { data, keyring, clock } = openRing();
    const mia = keyring.keyFor(MIA);
    keyring.keyFor(OMAR);
    expect(keyring.hold(MIA, "case 12")).toBe("held");
    expect(keyring.hold(MIA, "case 13")).toBe("already_held");
    const since = new Date(clock.now()).toISOString();
    expect(keyring.holdOn(MIA)).toEqual({ reason: "case 12", since });
    expect(keyring.erase(MIA)).toBe("held");
    expect(keyring.keyFor(MIA)).toBe(mia);
    expect(keyring.erase(OMAR)).toBe("erased");
    keyring.close();
    const again = openRing(data).keyring;
    expect(again.erase(MIA)).toBe("held");
    expect(again.release(MIA)).toBe("released");
    expect(again.release(MIA)).toBe("unknown");
    expect(again.holdOn(MIA)).toBeUndefined();
    expect(again.erase(MIA)).toBe("erased");
  });

  test("may stand before there is a key, and is of one person in one tenant", () => {
    const { keyring } = openRing();
    const nowhere = { ...MIA, tenant: null };
    expect(keyring.hold(nowhere, "case 12")).toBe("held");
    for (const who of [MIA, nowhere]) keyring.keyFor(who);
    expect(keyring.erase(nowhere)).toBe("held");
    expect(keyring.erase(MIA)).toBe("erased");
  });
});

test("framed parts are never two ways of saying the same", () => {
  const ways = [["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], ["", "abc"], [null, "abc"]];
  expect(new Set(ways.map((parts) => framed(...parts).toString("hex"))).size).toBe(ways.length);
  expect(framed("é", null).toString("hex")).toBe("00000002c3a9ffffffff");
});
