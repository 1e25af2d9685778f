// A small disk of its own: a tmpfs, which only root may mount.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface SmallDisk {
  readonly path: string;
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
    remount: (option) => run("mount", "-o", `remount,${option}`, path),
    remove() {
      run("umount", "-l", path);
      rmSync(path, { recursive: true });
    },
  };
}
