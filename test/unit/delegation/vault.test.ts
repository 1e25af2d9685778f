// The vault against whoever can write its file: nothing that was not written last opens.
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished } from "vitest";
import { openKeyFile } from "../../../src/delegation/key-service-file.ts";
import { idOf, Vault, VaultDamaged } from "../../../src/delegation/vault.ts";
import type { Place, VaultContent } from "../../../src/delegation/vault.ts";
import { openSqliteVault } from "../../../src/delegation/vault-sqlite.ts";
import { versionsInLedger } from "../../../src/delegation/versions.ts";
import { testFolder } from "../../setup/minimal.ts";
import { verifies } from "../../verifies.ts";
import { opened, testClock } from "../ledger/entries.ts";

const ada: Place = {
  tenant: "acme",
  issuer: "https://login.test",
  subject: "ada",
  connector: "mail",
};
const bob: Place = { ...ada, subject: "bob" };
const key = (text: string): VaultContent => ({ kind: "key", key: text });

async function house() {
  const folder = testFolder();
  const { ledger } = await opened();
  const store = openSqliteVault(join(folder, "vault.sqlite"));
  const db = new DatabaseSync(join(folder, "vault.sqlite"));
  onTestFinished(() => {
    store.close();
    db.close();
  });
  const keys_file = join(folder, "elsewhere", "vault.json");
  const keys = openKeyFile(keys_file);
  const start = (): Vault =>
    new Vault({ store, keys, versions: versionsInLedger(ledger), clock: testClock() });
  const bytes = (): string => readFileSync(join(folder, "vault.sqlite"), "latin1");
  return { folder, ledger, store, db, keys_file, start, bytes };
}

const contentAt = async (vault: Vault, place: Place) => (await vault.open(place))?.content;

verifies("vault.sealed", "what is stored opens for its place, and shows nothing", async () => {
  const { start, bytes, keys_file, folder } = await house();
  const vault = start();
  expect(await vault.open(ada)).toBeUndefined();
  expect(existsSync(keys_file)).toBe(false);
  await vault.write(ada, key("canary-71c2"), 0, "connected");
  expect(await contentAt(start(), ada)).toEqual(key("canary-71c2"));
  expect(await vault.open({ ...ada, tenant: null })).toBeUndefined();
  expect(await vault.open({ ...ada, connector: "crm" })).toBeUndefined();
  const wal = readFileSync(join(folder, "vault.sqlite-wal"), "latin1");
  expect(bytes() + wal).not.toContain("canary-71c2");
  for (const file of [keys_file, join(folder, "vault.sqlite")]) {
    expect(statSync(file).mode & 0o777).toBe(0o600);
  }
});

const SWAPS: Readonly<Record<string, string>> = {
  "whose sealed parts are another's": `UPDATE links SET (kid, wrapped, sealed) =
    (SELECT kid, wrapped, sealed FROM links WHERE subject = 'bob') WHERE subject = 'ada'`,
  "that is another's whole": `DELETE FROM links WHERE subject = 'ada';
    UPDATE links SET id = $ada WHERE subject = 'bob'`,
  "that is another's, with the names changed": `DELETE FROM links WHERE subject = 'ada';
    UPDATE links SET id = $ada, subject = 'ada' WHERE subject = 'bob'`,
  "of another connector": `UPDATE links SET connector = 'crm' WHERE subject = 'ada'`,
  "with a newer version than was written": "UPDATE links SET version = 9 WHERE subject = 'ada'",
  "with one changed bit": `UPDATE links SET sealed = CAST(substr(sealed, 1, length(sealed) - 1)
    || X'00' AS BLOB) WHERE subject = 'ada'`,
  "that is gone": "DELETE FROM links WHERE subject = 'ada'",
};

for (const [what, sql] of Object.entries(SWAPS)) {
  verifies("vault.swapped-row", `a row ${what} is refused`, async () => {
    const { start, db } = await house();
    const vault = start();
    await vault.write(ada, key("ada's own key"), 0, "connected");
    await vault.write(bob, key("bob's own key"), 0, "connected");
    db.exec(sql.replaceAll("$ada", `'${idOf(ada)}'`));
    await expect(start().open(ada)).rejects.toBeInstanceOf(VaultDamaged);
    await expect(vault.open(ada)).rejects.toBeInstanceOf(VaultDamaged);
  });
}

verifies("vault.rolled-back", "an older copy of a row is refused, also after a start", async () => {
  const { start, db } = await house();
  const vault = start();
  await vault.write(ada, key("the first key"), 0, "connected");
  db.exec("CREATE TABLE copy AS SELECT * FROM links");
  await vault.write(ada, key("the second key"), 1, "refreshed");
  db.exec("DELETE FROM links; INSERT INTO links SELECT * FROM copy");
  await expect(vault.open(ada)).rejects.toThrow(/version 1 was put back; the ledger knows 2/);
  await expect(start().open(ada)).rejects.toThrow(/put back/);
  // Connecting anew mends it, with a version that never was.
  expect(await start().write(ada, key("the third key"), "whatever", "connected")).toBe(true);
  expect(await start().open(ada)).toMatchObject({
    content: key("the third key"),
    row: { version: 3 },
  });
});

verifies("vault.rolled-back", "a link that was taken away is not put back", async () => {
  const { start, db } = await house();
  const vault = start();
  await vault.write(ada, key("the first key"), 0, "connected");
  db.exec("CREATE TABLE copy AS SELECT * FROM links");
  await vault.write(ada, undefined, 1, "disconnected");
  expect(await vault.open(ada)).toBeUndefined();
  db.exec("DELETE FROM links; INSERT INTO links SELECT * FROM copy");
  await expect(start().open(ada)).rejects.toBeInstanceOf(VaultDamaged);
});

verifies(
  "vault.rolled-back",
  "what a crash left unrecorded is recorded before it is used",
  async () => {
    const { start, store, ledger } = await house();
    await start().write(ada, key("the first key"), 0, "connected");
    // The store has the next version, and the process died before the ledger had it.
    const unrecorded = new Vault({
      store,
      keys: openKeyFile((await house()).keys_file),
      versions: { known: async () => 1, record: () => Promise.reject(new Error("killed")) },
      clock: testClock(),
    });
    await expect(unrecorded.write(ada, undefined, 1, "disconnected")).rejects.toThrow("killed");
    expect(await ledger.linkVersion(idOf(ada))).toBe(1);
    expect(await start().open(ada)).toBeUndefined();
    expect(await ledger.linkVersion(idOf(ada))).toBe(2);
  },
);

verifies("vault.rotate", "a new key wraps every row, and the old one is forgotten", async () => {
  const { start, keys_file, bytes, db } = await house();
  const vault = start();
  await vault.write(ada, key("ada's own key"), 0, "connected");
  await vault.write(bob, key("bob's own key"), 0, "connected");
  const before = readFileSync(keys_file, "utf8");
  const sealed = (): unknown => db.prepare("SELECT sealed FROM links ORDER BY id").all();
  const data = sealed();
  const { kid, rows, left } = await vault.rotateKeys();
  expect({ rows, left }).toEqual({ rows: 2, left: 0 });
  expect(sealed()).toEqual(data);
  expect(
    Object.keys((JSON.parse(readFileSync(keys_file, "utf8")) as { keys: object }).keys),
  ).toEqual([kid]);
  expect(await contentAt(start(), ada)).toEqual(key("ada's own key"));
  expect(bytes()).not.toContain("own key");
  // A stolen copy of the old key opens nothing any more.
  writeFileSync(keys_file, before);
  const other = new Vault({
    store: openSqliteVault(join(keys_file, "../../vault.sqlite")),
    keys: openKeyFile(keys_file),
    versions: { known: async () => 0, record: async () => undefined },
    clock: testClock(),
  });
  await expect(other.open(ada)).rejects.toBeInstanceOf(VaultDamaged);
});

verifies("vault.rotate", "a damaged row keeps the old key, and is counted", async () => {
  const { start, db } = await house();
  const vault = start();
  await vault.write(ada, key("ada's own key"), 0, "connected");
  await vault.write(bob, key("bob's own key"), 0, "connected");
  db.exec("UPDATE links SET version = 7 WHERE subject = 'bob'");
  expect(await vault.rotateKeys()).toMatchObject({ rows: 1, left: 1 });
  await expect(vault.open(bob)).rejects.toBeInstanceOf(VaultDamaged);
});

verifies("vault.sealed", "a file that holds no vault keys is an error, not a new key", async () => {
  const file = join(testFolder(), "vault.json");
  for (const text of [
    "",
    "{}",
    '{"current":"a","keys":{}}',
    '{"current":"a","keys":{"a":"short"}}',
  ]) {
    writeFileSync(file, text);
    await expect(openKeyFile(file).current()).rejects.toThrow(/not a file of vault keys/);
  }
});
