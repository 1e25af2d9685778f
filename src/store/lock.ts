// One core per data folder: an exclusive SQLite transaction, which the operating system drops when
// the process dies, however it dies. A stale pid file would not be.
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

export class FolderInUse extends Error {
  override readonly name = "FolderInUse";
}

/** What stands in the lock's place is none, so that nobody can say who owns the folder. */
export class LockDamaged extends Error {
  override readonly name = "LockDamaged";
}

export interface FolderLock {
  /** A second time it does nothing. */
  release(): void;
}

// SQLite's own codes: it cannot be opened, and it is no database.
const CANTOPEN = 14;
const NOTADB = 26;

/** Locks `folder` for this process, or throws `FolderInUse` or `LockDamaged`. */
export function lockFolder(folder: string): FolderLock {
  const file = join(folder, "lock");
  const db = new DatabaseSync(file, { timeout: 0, open: false });
  try {
    db.open();
    chmodSync(file, 0o600);
    db.exec("PRAGMA journal_mode=DELETE; BEGIN EXCLUSIVE");
  } catch (error) {
    if (db.isOpen) db.close();
    const { errcode, message } = error as Error & { errcode?: number };
    if (errcode === CANTOPEN || errcode === NOTADB) {
      const mend = "when no doorless runs in that folder, remove it";
      throw new LockDamaged(`${file} is no lock of doorless (${message}): ${mend}`);
    }
    throw new FolderInUse(`another doorless owns ${folder}: stop it, or use another data folder`);
  }
  return { release: () => void (db.isOpen && db.close()) };
}
