// What a process uses, as Linux tells it. Reading it needs no privilege.
import { existsSync, readFileSync } from "node:fs";
import type { Usage } from "./backend.ts";

const PAGE_BYTES = 4096;
/** Linux tells user space CPU time in hundredths of a second, whatever the kernel counts in. */
const TICK_MS = 10;

/** False where there is no /proc: memory and CPU of a worker are then bounded by Node alone. */
export const MEASURED = existsSync("/proc/self/statm");

export function usageOf(pid: number): Usage | undefined {
  try {
    const [, resident = 0] = readFileSync(`/proc/${pid}/statm`, "latin1").split(" ").map(Number);
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // After the name, which may hold anything: state is field 3, utime and stime 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const cpu_ms = (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    return { rss_bytes: resident * PAGE_BYTES, cpu_ms };
  } catch {
    return undefined;
  }
}
