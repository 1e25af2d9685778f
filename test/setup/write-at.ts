// Bytes into a file at a place, over what is there; the file is made where there is none.
import { closeSync, constants, openSync, writeSync } from "node:fs";

export function writeAt(path: string, bytes: Buffer, at: number): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
  try {
    writeSync(fd, bytes, 0, bytes.length, at);
  } finally {
    closeSync(fd);
  }
}
