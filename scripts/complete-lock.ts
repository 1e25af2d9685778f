// `npm run lock`: package-lock.json with every optional platform package in it.
//
// npm leaves out an optional package that the registry at hand could not deliver when it locked
// (mirrors often hold one platform's binaries only), and then `npm ci` refuses its own lockfile:
// "Missing: NAME@ from lock file". What is added here has version and platform, no integrity; on
// the platforms concerned npm takes it from the registry by name and exact version.
import { readFileSync, writeFileSync } from "node:fs";
import { z } from "zod";

const Entry = z.looseObject({
  version: z.string().optional(),
  dev: z.boolean().optional(),
  optionalDependencies: z.record(z.string(), z.string()).optional(),
});
const Lock = z.looseObject({ packages: z.record(z.string(), Entry) });
type Packages = z.infer<typeof Lock>["packages"];

const OS = /(?:^|-)(aix|android|darwin|freebsd|linux|openharmony|win32)(?:-|$)/;
const CPU = /(?:^|-)(arm64|arm|ia32|loong64|ppc64|riscv64|s390x|x64)(?:-|$)/;
const LIBC = /-(gnu|musl)[a-z]*$/;

export interface Gap {
  /** Where in the tree the package that wants it stands, and what it wants. */
  readonly at: string;
  readonly name: string;
  readonly version: string;
}

/** The optional dependencies, pinned exactly by their dependents, that no entry satisfies. */
export function gaps(packages: Packages): Gap[] {
  return Object.entries(packages).flatMap(([at, { optionalDependencies = {} }]) =>
    Object.entries(optionalDependencies)
      .filter(([name, version]) => !holds(packages, at, name, version))
      .map(([name, version]) => ({ at, name, version })),
  );
}

export function complete(packages: Packages): Packages {
  const whole = { ...packages };
  for (const { at, name, version } of gaps(packages)) {
    // Beside everything else where that place is free, below its dependent where it is not.
    const shared = `node_modules/${name}`;
    const place = whole[shared] === undefined ? shared : `${at}/${shared}`;
    const platform = name.slice(name.lastIndexOf("/") + 1);
    const libc = LIBC.exec(platform)?.[1];
    whole[place] = {
      version,
      cpu: CPU.exec(platform)?.slice(1, 2) ?? [],
      ...(packages[at]?.dev === true ? { dev: true } : {}),
      ...(libc === undefined ? {} : { libc: [libc === "gnu" ? "glibc" : libc] }),
      optional: true,
      os: OS.exec(platform)?.slice(1, 2) ?? [],
    };
  }
  const sorted = Object.entries(whole).toSorted(([a], [b]) => a.localeCompare(b, "en"));
  return Object.fromEntries(sorted);
}

/** Checked, yet as it was written: what a schema gives back has its keys in another order. */
export function readLock(path: string): z.infer<typeof Lock> {
  const lock: unknown = JSON.parse(readFileSync(path, "utf8"));
  Lock.parse(lock);
  return lock as z.infer<typeof Lock>;
}

/** Node's own way up: the nearest node_modules that has the name decides. */
function holds(packages: Packages, at: string, name: string, version: string): boolean {
  for (let folder = at; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/")))) {
    const entry = packages[`${folder === "" ? "" : `${folder}/`}node_modules/${name}`];
    // A range is npm's to judge; the platform packages are pinned exactly.
    if (entry !== undefined) return entry.version === version || !/^\d/.test(version);
    if (folder === "") return !/^\d/.test(version);
  }
}

if (import.meta.main) {
  const lock = readLock("package-lock.json");
  const packages = complete(lock.packages);
  writeFileSync("package-lock.json", `${JSON.stringify({ ...lock, packages }, undefined, 2)}\n`);
  console.log(`${Object.keys(packages).length} packages locked`);
}
