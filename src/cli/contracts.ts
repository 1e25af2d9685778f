// `contracts check|update|accept`: has an API changed under its tools, and what is made of it.
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { contractsOf, judgeContracts } from "../catalog/drift.ts";
import type { Verdict } from "../catalog/drift.ts";
import { writeLock } from "../catalog/lock.ts";
import { findingsIn, NOTICES_FILE, readNotices, noticed } from "../catalog/notices.ts";
import { judgeListed, unlisted, upstreamsOf } from "../catalog/upstream/drift.ts";
import type { UpstreamWatched } from "../catalog/upstream/drift.ts";
import { upstreamPinText } from "../catalog/upstream/pin.ts";
import type { Config } from "../config/load.ts";
import { listConfigured } from "./mcp-listing.ts";
import { pinFile } from "../catalog/pin.ts";
import { stopping } from "../catalog/suspensions.ts";
import { TOO_MANY } from "../contract/findings.ts";
import { systemClock } from "../kernel/clock.ts";
import { replaceFile } from "../store/replace-file.ts";
import { EXIT, note, paint, print, printJson, Stop, table } from "./output.ts";
import { FOLDER_HELP, FOLDER_OPTIONS, readToolsFolder } from "./tools-folder.ts";
import type { ToolsFolder } from "./tools-folder.ts";
import { usageError } from "./verb.ts";
import type { Given, Verb } from "./verb.ts";

const HELP = [
  "documents are fetched without any credential, from where each contract says",
  ...FOLDER_HELP,
];

export const contractsCheck: Verb = {
  name: "contracts check",
  usage: "contracts check [TOOL ...] [--tools DIR] [--config FILE]",
  summary: "whether the APIs are what was approved; exit 1 where a tool is stopped",
  help: ["exit 1: a change stops a tool; 4: a document could not be read", ...HELP],
  options: FOLDER_OPTIONS,
  async run(given) {
    const { folder, verdicts, documents, unpinned } = await judged(contractsCheck, given);
    const broken = verdicts.filter((one) => stopping(one).length > 0);
    const unread = verdicts.filter(({ state }) => state === "unverified");
    const tools = verdicts.map((verdict) => ({ ...verdict, slice: undefined, listed: undefined }));
    if (given.flag("json")) printJson({ ok: broken.length === 0, tools, unpinned });
    else {
      verdicts.forEach(printVerdict);
      for (const name of unpinned) note(`${name} has no contract: \`tools import\` pins one`);
      print(`${documents.length} contracts in ${folder.config.tools_dir}, ${broken.length} broken`);
    }
    if (broken.length > 0) return EXIT.no;
    return unread.length > 0 ? EXIT.unreachable : EXIT.ok;
  },
};

export const contractsUpdate: Verb = {
  name: "contracts update",
  usage: "contracts update [TOOL ...] [--tools DIR] [--config FILE]",
  summary: "pin the APIs as they are today; `tools approve` then shows what is different",
  help: ["only contract/TOOL.json is written, and approves nothing", ...HELP],
  options: FOLDER_OPTIONS,
  async run(given) {
    const { folder, documents } = await judged(contractsUpdate, given);
    const missing = documents.filter(
      (one) => contractText(one) === undefined && one.state !== "same",
    );
    const changed = documents.filter((one) => one.state === "drift" && !missing.includes(one));
    for (const verdict of changed) {
      const file = pinFile(join(folder.config.tools_dir, verdict.connector), verdict.tool);
      mkdirSync(dirname(file), { recursive: true });
      replaceFile(file, contractText(verdict) ?? "", 0o644);
    }
    const updated = changed.map(({ tool }) => tool);
    const failed = missing.map(({ tool, why, findings }) => ({
      tool,
      why: why ?? findings.map(({ text }) => text).join("; "),
    }));
    if (given.flag("json")) printJson({ updated, failed });
    else {
      print(updated.length === 0 ? "nothing is different" : `updated: ${updated.join(", ")}`);
      for (const { tool, why } of failed) note(`${tool} was not updated: ${why}`);
      if (updated.length > 0) note("they are not approved so: `doorless tools approve`");
    }
    if (missing.some(({ state }) => state === "unverified")) return EXIT.unreachable;
    return missing.length > 0 ? EXIT.no : EXIT.ok;
  },
};

export const contractsAccept: Verb = {
  name: "contracts accept",
  usage: "contracts accept FINGERPRINT ... [--tools DIR] [--config FILE]",
  summary: "a change that was looked at stops its tool no more; written into tools.lock.json",
  help: [
    "FINGERPRINT     as `contracts check` shows it; of this change, with these values",
    ...HELP,
  ],
  options: FOLDER_OPTIONS,
  async run(given) {
    const prints = given.words.map((word) => word.toLowerCase());
    if (prints.length === 0) throw usageError(contractsAccept, "FINGERPRINT is missing");
    const { folder, verdicts } = await judged(contractsAccept, given, []);
    const tools = { ...folder.lock.tools };
    const accepted = prints.flatMap((fingerprint) => {
      const found = verdicts.filter(({ findings }) =>
        findings.some((one) => one.fingerprint === fingerprint),
      );
      if (found.length === 0) throw new Stop(EXIT.no, `nothing has the fingerprint ${fingerprint}`);
      const [listed] = found.flatMap(({ findings }) =>
        findings.filter((one) => one.fingerprint === fingerprint),
      );
      if (listed?.rule === TOO_MANY) {
        const why = "it stands for changes that nobody sees: `doorless contracts update`";
        throw new Stop(EXIT.no, `${fingerprint} cannot be accepted: ${why}`);
      }
      return found.map(({ tool }) => {
        const entry = tools[tool];
        if (entry === undefined) throw new Stop(EXIT.no, `${tool} is not approved: approve it`);
        const all = new Set([...(entry.accepted ?? []), fingerprint]);
        tools[tool] = { ...entry, accepted: [...all].toSorted() };
        return { tool, fingerprint };
      });
    });
    writeLock(folder.lock, tools);
    if (given.flag("json")) printJson({ lock: folder.lock.file, accepted });
    else accepted.forEach(({ tool, fingerprint }) => print(`accepted for ${tool}: ${fingerprint}`));
    return EXIT.ok;
  },
};

/** The contract as it is today; nothing where nobody knows. */
function contractText({ slice, listed }: Verdict): string | undefined {
  if (listed !== undefined) return upstreamPinText(listed, new Date(systemClock.now()));
  return slice === undefined ? undefined : `${JSON.stringify(slice, null, 2)}\n`;
}

interface Judgement {
  readonly folder: ToolsFolder;
  /** What the documents say, alone. */
  readonly documents: readonly Verdict[];
  /** With what answers have said to the doorless of this configuration. */
  readonly verdicts: readonly Verdict[];
  readonly unpinned: readonly string[];
}

async function judged(verb: Verb, given: Given, names = given.words): Promise<Judgement> {
  const folder = await readToolsFolder(given);
  const { catalog, lock, config } = folder;
  for (const name of names) {
    if (!catalog.tools.has(name)) throw usageError(verb, `there is no tool ${name}`);
  }
  const isMeant = (name: string): boolean => names.length === 0 || names.includes(name);
  const now_ms = systemClock.now();
  const contracts = contractsOf(catalog, lock, config, now_ms);
  const unpinned = [...catalog.tools.values()].flatMap(({ name, kind }) =>
    kind === "declarative" && isMeant(name) && !contracts.some(({ tool }) => tool === name)
      ? [name]
      : [],
  );
  const chosen = contracts.filter(({ tool }) => isMeant(tool));
  const servers = upstreamsOf(catalog, lock).filter(({ tool }) => isMeant(tool));
  const documents = [
    ...(await judgeContracts(chosen, now_ms)),
    ...(await judgeServers(servers, config)),
  ];
  const byTool = new Map(documents.map((one) => [one.tool, one]));
  const notices = noticesOf(join(config.data_dir, NOTICES_FILE));
  const verdicts = [...catalog.tools.values()].flatMap((tool) => {
    const verdict = byTool.get(tool.name);
    const found = isMeant(tool.name) ? findingsIn(notices, tool, now_ms) : [];
    return found.length > 0 ? [noticed(tool, found, verdict, lock)] : (verdict ?? []);
  });
  const byName = verdicts.toSorted((a, b) => (a.tool < b.tool ? -1 : 1));
  return { folder, documents, verdicts: byName, unpinned };
}

async function judgeServers(
  watched: readonly UpstreamWatched[],
  config: Config,
): Promise<readonly Verdict[]> {
  const made: Verdict[] = [];
  const groups = Map.groupBy(watched, (one) => one.connector);
  for (const [connector, group] of groups) {
    const listed = await listConfigured(config, connector, [...groups.keys()]);
    if ("tools" in listed) made.push(...judgeListed(group, listed.endpoint, listed.tools));
    else made.push(...group.map((one) => unlisted(one, listed.why)));
  }
  return made;
}

function noticesOf(file: string): ReturnType<typeof readNotices> {
  try {
    return readNotices(file);
  } catch (error) {
    throw new Stop(EXIT.usage, `${file} cannot be understood: ${(error as Error).message}`);
  }
}

const PAINTS = { critical: "red", break: "red", warn: "yellow", info: "dim" } as const;

function printVerdict({ tool, state, findings, severity, why }: Verdict): void {
  const said = state === "drift" ? (severity ?? "accepted") : state;
  const colour =
    severity === undefined ? (state === "same" ? "green" : "yellow") : PAINTS[severity];
  print(`${paint(colour, said)}  ${tool}${why === undefined ? "" : `: ${why}`}`);
  if (findings.length === 0) return;
  const rows = findings.map((one) => [
    `  ${one.accepted ? "accepted" : one.severity}`,
    one.fingerprint,
    one.rule,
    one.pointer,
    one.text,
  ]);
  print(table(["  SEVERITY", "FINGERPRINT", "RULE", "WHERE", "WHAT"], rows));
}
