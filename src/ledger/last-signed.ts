// The newest kept checkpoint, remembered beside the signing key: whoever reaches the ledger's
// folder alone cannot make a start forget what was signed.
import { closeSync, existsSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Checkpoint } from "./checkpoint.ts";
import { passing } from "./room.ts";
import { LedgerDamaged } from "./segments.ts";
import { replaceFile } from "../store/replace-file.ts";

const FILE = "ledger-signed";
const LINE = /^(\d{16}) ([\d+/A-Za-z]{43}=)\n$/;

export type Head = Pick<Checkpoint, "size" | "root">;

/** Undefined before the first. Throws `LedgerDamaged` where it says nothing readable. */
export function lastSigned(keys_folder: string): Head | undefined {
  const file = join(keys_folder, FILE);
  if (!existsSync(file)) return undefined;
  const [, size, root] = LINE.exec(readFileSync(file, "utf8")) ?? [];
  if (size === undefined || root === undefined) {
    throw new LedgerDamaged(`${file} does not say which checkpoint was signed last; restore it`);
  }
  return { size: Number(size), root: Buffer.from(root, "base64") };
}

/**
 * Once the checkpoint itself is durable. The first is durable too; the later ones are written in
 * its place without a sync, so that after a power loss an older one may stand there: as true.
 */
export function rememberSigned(keys_folder: string, { size, root }: Head): void {
  const file = join(keys_folder, FILE);
  const line = `${String(size).padStart(16, "0")} ${root.toString("base64")}\n`;
  try {
    if (existsSync(file)) overwrite(file, line);
    else replaceFile(file, line, 0o600);
  } catch (error) {
    // Without room the one before goes on being remembered; the next takes its place.
    if (passing(error)?.reason !== "disk_full") throw error;
  }
}

// Always as long, and within one sector: the old line or the new one.
function overwrite(file: string, line: string): void {
  const fd = openSync(file, "r+");
  try {
    writeSync(fd, line, 0);
  } finally {
    closeSync(fd);
  }
}
