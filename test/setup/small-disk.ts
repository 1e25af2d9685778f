// A small disk of its own: a tmpfs, which only root may mount.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface SmallDisk {
  readonly path: string;
  /** Takes every byte that is left, in a file that is removed to give them back. */
  fill(): string;
  remount(option: "ro" | "rw"): void;
  remove(): void;
}

/** Why there can be none here; nothing where there can. */
export const noSmallDisk: string | undefined =
  process.platform === "linux" && process.getuid?.() === 0 && canMount()
    ? undefined
    : "mounting a small tmpfs needs root on Linux";

function canMount(): boolean {
  try {
    mountDisk(1).remove();
    return true;
  } catch {
    return false;
  }
}

function fill(path: string): string {
  const filler = join(path, "filler");
  for (let size = 65_536; size >= 1;) {
    try {
      writeFileSync(filler, Buffer.alloc(size, 1), { flag: "a" });
    } catch {
      size /= 2;
    }
  }
  return filler;
}

export function mountDisk(mebibytes: number): SmallDisk {
  const path = mkdtempSync(join(tmpdir(), "doorless-disk-"));
  const run = (program: string, ...args: string[]): void =>
    void execFileSync(program, args, { stdio: "pipe" });
  try {
    run("mount", "-t", "tmpfs", "-o", `size=${mebibytes}m,mode=0700`, "tmpfs", path);
  } catch (error) {
    rmSync(path, { recursive: true });
    throw error;
  }
  return {
    path,
    fill: () => fill(path),
    remount: (option) => run("mount", "-o", `remount,${option}`, path),
    remove() {
      run("umount", "-l", path);
      rmSync(path, { recursive: true });
    },
  };
}
