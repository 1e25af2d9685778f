// What every store of the vault must do, whatever it is made of. Two handles are two processes.
import { join } from "node:path";
import { describe, expect, onTestFinished } from "vitest";
import { openSqliteVault } from "../../src/delegation/vault-sqlite.ts";
import type { VaultRow, VaultStore } from "../../src/delegation/vault.ts";
import { testFolder } from "../setup/minimal.ts";
import { verifies } from "../verifies.ts";

const STORES: Readonly<Record<string, () => [VaultStore, VaultStore]>> = {
  sqlite() {
    const file = join(testFolder(), "vault.sqlite");
    return [openSqliteVault(file), openSqliteVault(file)];
  },
};

function row(version: number, text = `secret ${version}`): Omit<VaultRow, "in_doubt"> {
  return {
    id: "one",
    tenant: "acme",
    issuer: "https://login.test",
    subject: "ada",
    connector: "mail",
    version,
    changed_ms: 1000 + version,
    sealed: { key: { kid: "k1", bytes: Buffer.from("wrapped") }, data: Buffer.from(text) },
  };
}

describe.each(Object.entries(STORES))("%s", (_name, open) => {
  function pair(): [VaultStore, VaultStore] {
    const [here, there] = open();
    onTestFinished(() => {
      here.close();
      there.close();
    });
    return [here, there];
  }

  verifies("vault.compare-and-set", "of two that write one version, one does", async () => {
    const [here, there] = pair();
    const made = await Promise.all([here.swap(row(1, "here"), 0), there.swap(row(1, "there"), 0)]);
    expect(made.filter(Boolean)).toHaveLength(1);
    const next = await Promise.all([here.swap(row(2), 1), there.swap(row(2), 1)]);
    expect(next.filter(Boolean)).toHaveLength(1);
    expect(await here.swap(row(4), 3)).toBe(false);
    expect(await there.get("one")).toEqual({ ...row(2), in_doubt: false });
  });

  verifies("vault.compare-and-set", "a tombstone is a version like any other", async () => {
    const [here, there] = pair();
    await here.swap(row(1), 0);
    expect(await there.swap({ ...row(2), sealed: undefined }, 1)).toBe(true);
    expect(await here.swap(row(2, "resurrected"), 1)).toBe(false);
    expect(await here.get("one")).toMatchObject({ version: 2, sealed: undefined });
    expect(await here.swap(row(3), 2)).toBe(true);
  });

  verifies("vault.lease", "one holds a lease, until it is released or runs out", async () => {
    const [here, there] = pair();
    await here.swap(row(1), 0);
    expect(await here.lease("one", "a", 1000, 2000)).toBe("leased");
    expect(await there.lease("one", "b", 1999, 3000)).toBe("busy");
    await there.release("one", "b", true);
    expect(await there.lease("one", "b", 2000, 3000)).toBe("busy");
    await here.release("one", "a", true);
    expect(await there.lease("one", "b", 2000, 3000)).toBe("leased");
    expect(await here.lease("one", "c", 3001, 4000)).toBe("leased");
    expect(await here.lease("nobody's", "c", 0, 1)).toBe("busy");
  });

  verifies("vault.lease", "what was sent under a lease that nobody ended is in doubt", async () => {
    const [here, there] = pair();
    await here.swap(row(1), 0);
    await here.lease("one", "a", 1000, 2000);
    expect((await there.get("one"))?.in_doubt).toBe(false);
    await here.doubt("one", "a");
    expect(await there.lease("one", "b", 2001, 3000)).toBe("leased");
    expect((await there.get("one"))?.in_doubt).toBe(true);
    await expect(here.doubt("one", "a")).rejects.toThrow(/lease was lost/);
    await there.release("one", "b", false);
    expect((await there.get("one"))?.in_doubt).toBe(true);
    await there.swap(row(2), 1);
    expect((await here.get("one"))?.in_doubt).toBe(false);
  });

  verifies("vault.lease", "a write by somebody else ends the lease", async () => {
    const [here, there] = pair();
    await here.swap(row(1), 0);
    await here.lease("one", "a", 1000, 2000);
    await here.doubt("one", "a");
    await there.swap({ ...row(2), sealed: undefined }, 1);
    expect(await here.swap(row(2, "refreshed"), 1)).toBe(false);
    expect(await there.lease("one", "b", 1001, 2001)).toBe("leased");
  });

  verifies(
    "vault.rotate",
    "a wrapped key is replaced only under the version it is of",
    async () => {
      const [here, there] = pair();
      await here.swap(row(1), 0);
      await there.swap(row(2), 1);
      const key = { kid: "k2", bytes: Buffer.from("again") };
      expect(await here.rewrap("one", 1, key)).toBe(false);
      expect(await here.rewrap("one", 2, key)).toBe(true);
      const [only] = await there.list();
      expect(only?.sealed).toEqual({ key, data: Buffer.from("secret 2") });
    },
  );
});
