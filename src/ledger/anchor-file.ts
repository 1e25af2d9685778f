// An anchor that appends to a file, meant for another mount: a share, an append-only volume.
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import type { Anchor } from "./anchor.ts";
import { framedNote } from "./checkpoint-log.ts";

/**
 * Appends each checkpoint to `path` and syncs it. The folder must exist and is never made: a
 * folder inside the mount is then missing while the mount is, instead of standing in for it.
 */
export function createFileAnchor(path: string): Anchor {
  return {
    name: `file:${path}`,
    async put(checkpoint) {
      const handle = await open(path, "a+", 0o600);
      try {
        const { size } = await handle.stat();
        // After a torn write, which may be half an end, the next note begins behind a whole one.
        const tail = Buffer.alloc(Math.min(size, ENDED.length));
        await handle.read(tail, 0, tail.length, size - tail.length);
        const ended = size === 0 || tail.equals(ENDED);
        await handle.appendFile(`${ended ? "" : `\n${ENDED.toString()}`}${framedNote(checkpoint)}`);
        await handle.sync();
        if (size === 0) await syncFolder(dirname(path));
      } finally {
        await handle.close();
      }
    },
  };
}

const ENDED = Buffer.from(`\n${framedNote("")}`);

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
