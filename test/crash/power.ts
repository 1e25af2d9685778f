// Power loss for a real process: a shim before libc notes what it has synced, and after its end
// whatever it had not is taken away, wholly or in part.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { BLANK } from "../../src/ledger/segments.ts";
import { writeAt } from "../setup/write-at.ts";

const NAMES = /^(?:\d{12}\.jsonl|checkpoints)$/;

/** Why there can be no such thing here; nothing where there can. */
export const noPowerLoss: string | undefined = whyNot();

function whyNot(): string | undefined {
  if (process.platform !== "linux") return "the shim is for Linux";
  try {
    execFileSync("gcc", ["--version"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "gcc is not here to build the shim with";
  }
}

/** Bytes that were written over room that was made ahead. */
interface Put {
  readonly at: number;
  readonly size: number;
}

/** What the notes say of the files. */
interface Noted {
  readonly sizes: Map<string, number>;
  readonly names: Set<string>;
  /** Since the last sync of each. */
  readonly puts: Map<string, Put[]>;
}

export class Power {
  /** What the process has to be started with. */
  readonly env: Record<string, string>;
  private readonly folder: string;
  private readonly notes: string;
  /** What survived up to now: sizes by path. */
  private durable = new Map<string, number>();

  /** For what lies in `folder`; shim and notes go to `place`. */
  constructor(folder: string, place: string) {
    this.folder = folder;
    this.notes = join(place, "power-notes");
    const shim = join(place, "power-shim.so");
    const source = join(import.meta.dirname, "power-shim.c");
    execFileSync("gcc", ["-shared", "-fPIC", "-O1", "-Wall", "-o", shim, source, "-ldl"]);
    this.env = {
      LD_PRELOAD: shim,
      DOORLESS_POWER_FOLDER: folder,
      DOORLESS_POWER_NOTES: this.notes,
    };
  }

  /** Before a start: what is there is there. */
  begin(): void {
    rmSync(this.notes, { force: true });
    this.durable = new Map(this.files().map((path) => [path, statSync(path).size]));
  }

  /** After its end: how many bytes were lost. */
  lose(random: () => number): number {
    const { sizes, names, puts } = this.read();
    let lost = 0;
    for (const path of this.files()) {
      const size = statSync(path).size;
      if (!names.has(path) && random() < 0.5) {
        rmSync(path);
        lost += size;
        continue;
      }
      const kept = Math.min(size, sizes.get(path) ?? 0);
      const left = kept + Math.floor(random() * (size - kept + 1));
      truncateSync(path, left);
      lost += size - left;
      for (const put of puts.get(path) ?? []) lost += blanked(path, left, put, random);
    }
    return lost;
  }

  private read(): Noted {
    const sizes = new Map(this.durable);
    const names = new Set(this.durable.keys());
    const puts = new Map<string, Put[]>();
    const text = existsSync(this.notes) ? readFileSync(this.notes, "utf8") : "";
    for (const line of text.split("\n")) {
      const [, kind, size = "", path = ""] = /^(?:([ST]) (\d+) (.*)|[NW] .*)$/.exec(line) ?? [];
      if (line.startsWith("N ")) names.add(line.slice(2));
      const [, at, bytes, into = ""] = /^W (\d+) (\d+) (.*)$/.exec(line) ?? [];
      const put = { at: Number(at), size: Number(bytes) };
      if (into !== "") puts.set(into, [...(puts.get(into) ?? []), put]);
      if (kind === "S") puts.delete(path);
      if (kind === "S") sizes.set(path, Number(size));
      if (kind === "T") sizes.set(path, Math.min(sizes.get(path) ?? 0, Number(size)));
    }
    return { sizes, names, puts };
  }

  private files(): string[] {
    if (!existsSync(this.folder)) return [];
    const names = readdirSync(this.folder).filter((name) => NAMES.test(name));
    return names.map((name) => join(this.folder, name));
  }
}

/** Takes a part of what was written there away; how many bytes that were. */
function blanked(path: string, size: number, put: Put, random: () => number): number {
  const from = put.at + Math.floor(random() * put.size);
  const to = Math.min(size, from + Math.ceil(random() * (put.at + put.size - from)));
  const gone = readFileSync(path).subarray(from, to);
  const lost = gone.filter((byte) => byte !== BLANK).length;
  if (to > from) writeAt(path, Buffer.alloc(to - from, BLANK), from);
  return lost;
}
