// The data folder: private to its owner, and the same layout everywhere (docs/storage-schema.md).
import { mkdirSync, readFileSync, writeFileSync, chmodSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { dirname, join } from "node:path";

export interface Folders {
  readonly data: string;
  readonly ledger: string;
  readonly keys: string;
}

export function openFolders(data: string): Folders {
  const folders = { data, ledger: join(data, "ledger"), keys: join(data, "keys") };
  for (const folder of Object.values(folders)) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
  }
  return folders;
}

/** 32 random bytes kept in `file` (0600), made at first use. */
export function openKey(file: string): Buffer {
  try {
    const key = Buffer.from(readFileSync(file, "utf8").trim(), "base64url");
    if (key.length !== 32) throw new Error(`${file} does not hold a 32-byte key`);
    return key;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const key = randomBytes(32);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, `${key.toString("base64url")}\n`, { mode: 0o600, flag: "wx" });
  return key;
}
