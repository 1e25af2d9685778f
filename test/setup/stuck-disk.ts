// A disk that gets stuck at one named moment, says so, and never comes back: whatever waits for it
// waits until somebody ends the process.
import { openSegmentFile } from "../../src/ledger/wal.ts";
import type { SegmentFile } from "../../src/ledger/wal.ts";
import { tell } from "./child-side.ts";

const NEVER = new Promise<void>(() => undefined);

/**
 * `write:KIND` before a record of that kind is written; `sync:KIND` after, before it is synced.
 * With `:TOOL` behind it, only before a record of that tool's.
 */
export function stuckDisk(moment_named: string): (path: string) => Promise<SegmentFile> {
  const [moment = "", kind = "", tool] = moment_named.split(":");
  const mark = `"kind":"${kind}"`;
  return async (path) => {
    const file = await openSegmentFile(path);
    let stuck = false;
    const stick = (): Promise<void> => {
      tell({ stuck: moment_named });
      return NEVER;
    };
    return {
      async write(bytes, at) {
        const isTheirs = tool === undefined || bytes.includes(`"tool":"${tool}"`);
        const here = bytes.includes(mark) && isTheirs;
        if (here && moment === "write") return stick();
        await file.write(bytes, at);
        stuck = here && moment === "sync";
      },
      sync: () => (stuck ? stick() : file.sync()),
      cut: (size) => file.cut(size),
      close: () => file.close(),
    };
  };
}
