// A file that is replaced whole or not at all, also by a power loss.
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** Durable when it returns. */
export function replaceFile(file: string, text: string, mode: number): void {
  const unfinished = `${file}.tmp`;
  rmSync(unfinished, { force: true });
  const fd = openSync(unfinished, "wx", mode);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(unfinished, file);
  syncFolder(dirname(file));
}

/** Names in a folder are durable only when it is. */
export function syncFolder(folder: string): void {
  const fd = openSync(folder, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
