// What `doctor` sees without asking anybody: tools, isolation, the data folder, and who may read
// the keys.
import { accessSync, constants, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { statfsSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Config } from "../config/load.ts";
import { secretFiles } from "../config/secrets.ts";
import { lintHouse, readHouse } from "../console/house.ts";
import type { House } from "../console/house.ts";
import { freeBytesMin } from "../ledger/free.ts";
import { openSandbox } from "../sandbox/sandbox.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { fine, mistakesIn, noted, wrong } from "./finding.ts";
import type { Finding } from "./finding.ts";

const OTHERS = 0o077;

export async function lookAtFiles(config: Config): Promise<readonly Finding[]> {
  const data = [...lookAtData(config), ...lookAtAnchors(config)];
  return [...(await lookAtTools(config)), ...data, ...lookAtSecrets(config)];
}

// The probe makes its attempts here as at a start: what it says is what a start would say.
async function lookAtTools(config: Config): Promise<readonly Finding[]> {
  const folder = mkdtempSync(join(tmpdir(), "doorless-"));
  let sandbox: Sandbox | undefined;
  const findings: Finding[] = [];
  try {
    try {
      sandbox = await openSandbox(config, folder, { servers: true, workers_ready: 0 });
      findings.push(...isolationIn(sandbox));
    } catch (error) {
      findings.push(...mistakesIn("isolation", error));
    }
    const house = await readHouse(config, sandbox);
    findings.push(...toolsIn(house));
    const { drafts } = house.catalog;
    if (drafts.length > 0) findings.push(noted("tools", `drafts, not loaded: ${drafts.length}`));
  } catch (error) {
    findings.push(...mistakesIn("tools", error));
  } finally {
    await sandbox?.close();
    rmSync(folder, { recursive: true, force: true });
  }
  return findings;
}

function toolsIn(house: House): readonly Finding[] {
  const { tools, absent, unapproved } = house.catalog;
  const mend = "read what it says, and approve it: `doorless tools approve`";
  return [
    fine("tools", `${tools.size} in ${house.config.tools_dir}`),
    ...[...absent].map(([tool, why]) => {
      const said = `${tool} is in no list: ${why}`;
      return unapproved.has(tool) ? wrong("tools", said, mend) : noted("tools", said);
    }),
    ...lintHouse(house).map(({ tool, pointer, said }) =>
      noted("tools", `${tool}${pointer} ${said}`),
    ),
  ];
}

function isolationIn(sandbox: Sandbox | undefined): readonly Finding[] {
  if (sandbox === undefined) return [fine("isolation", "no code runs here")];
  const local = [...sandbox.servers.keys()].map((name) => sandbox.isolationOfServer(name) ?? "");
  const said = new Set([sandbox.isolationOf("code"), sandbox.isolationOf("generated"), ...local]);
  return [...said]
    .filter((one) => one !== "none")
    .map((one) => (sandbox.gaps.includes(one) ? noted("isolation", one) : fine("isolation", one)));
}

function lookAtData({ data_dir, ledger }: Config): readonly Finding[] {
  const about = "data folder";
  const there = existingIn(data_dir);
  try {
    accessSync(there, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch {
    const mend = "give it to the user who runs doorless, or name another with `data`";
    return [wrong(about, `${there} cannot be read and written here`, mend)];
  }
  const { bavail, bsize } = statfsSync(there);
  const free_bytes = bavail * bsize;
  const free_bytes_min = freeBytesMin(ledger.disk_free_bytes_min, there);
  if (free_bytes < free_bytes_min) {
    const needed = mib(free_bytes_min);
    const said = `${there} has ${mib(free_bytes)} free, and calls are refused below ${needed}`;
    return [wrong(about, said, "make room, or lower /ledger/disk_free_bytes_min")];
  }
  if (there !== data_dir) return [noted(about, `${data_dir} is made at the first start`)];
  return [fine(about, `${data_dir}, ${mib(free_bytes)} free`)];
}

// A start goes on without: a mount that is missing now may come back.
function lookAtAnchors({ ledger, file }: Config): readonly Finding[] {
  return ledger.anchors.flatMap((anchor, i) => {
    if (anchor.kind !== "file") return [];
    const folder = dirname(resolve(dirname(file), anchor.path));
    if (existsSync(folder)) return [];
    const said = `/ledger/anchors/${i}/path: ${folder} is not there`;
    return [wrong("anchor", said, "make the folder inside its mount, or mount it")];
  });
}

function mib(bytes: number): string {
  return `${Math.round(bytes / 1_048_576)} MiB`;
}

/** The folder, or the nearest one above it that is there. */
function existingIn(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : existingIn(dirname(folder));
}

// Everything in here opens something, or names somebody: it is its owner's alone.
function lookAtSecrets(config: Config): readonly Finding[] {
  const { data_dir, vault_keys_file } = config;
  const keys = join(data_dir, "keys");
  const folders = [data_dir, keys, join(data_dir, "ledger"), dirname(vault_keys_file)];
  const files = [
    ...[data_dir, keys].flatMap((folder) => filesIn(folder)),
    vault_keys_file,
    ...secretFiles(config, config.file),
  ];
  const open = [
    ...[...new Set(folders)].flatMap((folder) => openToOthers(folder, "700")),
    ...[...new Set(files)].flatMap((file) => openToOthers(file, "600")),
  ];
  return open.length > 0 ? open : [fine("keys", "nobody else may read them")];
}

function filesIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  const inside = readdirSync(folder, { withFileTypes: true });
  // What others may know has that in its name.
  const secret = inside.filter((one) => one.isFile() && !one.name.endsWith(".pub"));
  return secret.map(({ name }) => join(folder, name));
}

function openToOthers(path: string, mode: string): readonly Finding[] {
  // Windows has no such bits.
  if (process.platform === "win32" || !existsSync(path)) return [];
  const bits = statSync(path).mode & 0o777;
  if ((bits & OTHERS) === 0) return [];
  const said = `others may use ${path} (mode ${bits.toString(8)})`;
  return [wrong("keys", said, `chmod ${mode} ${path}`)];
}
