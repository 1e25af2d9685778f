// One core per data folder: an exclusive SQLite transaction, which the operating system drops when
// the process dies, however it dies. A stale pid file would not be.
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

export class FolderInUse extends Error {
  override readonly name = "FolderInUse";
}

export interface FolderLock {
  /** A second time it does nothing. */
  release(): void;
}

/** Locks `folder` for this process, or throws `FolderInUse`. */
export function lockFolder(folder: string): FolderLock {
  const file = join(folder, "lock");
  const db = new DatabaseSync(file, { timeout: 0 });
  try {
    chmodSync(file, 0o600);
    db.exec("PRAGMA journal_mode=DELETE; BEGIN EXCLUSIVE");
  } catch {
    db.close();
    throw new FolderInUse(`another doorless owns ${folder}: stop it, or use another data folder`);
  }
  return { release: () => void (db.isOpen && db.close()) };
}
