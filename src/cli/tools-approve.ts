// `tools approve`: a human reads what a model will read, and takes it into tools.lock.json. Only
// what stands there, exactly as it was then, is ever a tool.
import { createInterface } from "node:readline/promises";
import type { Catalog, ToolDefinition } from "../catalog/definition.ts";
import { lockEntry, writeLock } from "../catalog/lock.ts";
import type { Lock, LockEntry, Mismatch } from "../catalog/lock.ts";
import { systemClock } from "../kernel/clock.ts";
import { osUser } from "./core.ts";
import { EXIT, note, print, printJson, Stop } from "./output.ts";
import { toolText } from "./tool-text.ts";
import {
  FOLDER_HELP,
  FOLDER_OPTIONS,
  printFault,
  readToolsFolder,
  toolNamed,
} from "./tools-folder.ts";
import type { ToolsFolder } from "./tools-folder.ts";
import { usageError } from "./verb.ts";
import type { Given, Verb } from "./verb.ts";

export const toolsApprove: Verb = {
  name: "tools approve",
  usage: "tools approve [NAME ...] [--yes] [--by WHO] [--tools DIR] [--config FILE]",
  summary: "show what a model will read of a tool, and write it into tools.lock.json",
  help: [
    "NAME            of the tool, or its file (default: all that wait)",
    "--yes           ask nothing; without a terminal, needed where no NAME is given",
    "--by WHO        who approves (default: the user of the operating system)",
    "a draft cannot be approved; what hides characters cannot, either: exit 1, nothing is written",
    ...FOLDER_HELP,
  ],
  json: "one JSON object; shows nothing else",
  options: { ...FOLDER_OPTIONS, yes: { type: "boolean" }, by: { type: "string" } },
  async run(given) {
    const folder = await readToolsFolder(given);
    const { lock, config, faults } = folder;
    const change = changeIn(folder, given);
    const { chosen, gone } = change;
    const found = faults.filter(({ tool }) => chosen.some(({ name }) => name === tool));
    const refused = [...new Set(found.flatMap(({ tool, grave }) => (grave ? [tool] : [])))];
    const isJson = given.flag("json");
    if (!isJson) {
      for (const tool of chosen) print(toolText(tool, config, lock));
      found.forEach(printFault);
      for (const { tool, why } of gone) print(`${tool} leaves the lock: ${why}`);
    }
    const write = refused.length === 0 && chosen.length + gone.length > 0;
    if (write) {
      await mustBeMeant(given, change);
      writeLock(lock, changed(lock, change, given.text("by") ?? osUser()));
    }
    const approved = write ? chosen.map(({ name }) => name) : [];
    const removed = write ? gone.map(({ tool }) => tool) : [];
    if (isJson) printJson({ lock: lock.file, approved, removed, refused, faults: found });
    else if (refused.length > 0) note(`nothing was approved: mend ${refused.join(", ")} first`);
    else if (!write) note(`nothing waits: what is in ${config.tools_dir} is as approved`);
    else print(`approved in ${lock.file}: ${approved.join(", ") || "nothing new"}`);
    return refused.length > 0 ? EXIT.no : EXIT.ok;
  },
};

interface Change {
  readonly chosen: readonly ToolDefinition[];
  /** What is in the lock and nowhere else; it goes only where nothing is named. */
  readonly gone: readonly Mismatch[];
}

function changeIn(folder: ToolsFolder, { words }: Given): Change {
  const { catalog, mismatches } = folder;
  const gone = mismatches.filter(({ kind }) => kind === "gone");
  const waiting = mismatches.filter(({ kind }) => kind !== "gone").map(({ tool }) => tool);
  const names = words.map(toolNamed);
  names.forEach((name) => mustBeTool(catalog, name, waiting));
  const chosen = [...catalog.tools.values()].filter(
    ({ name }) => waiting.includes(name) && (names.length === 0 || names.includes(name)),
  );
  return { chosen, gone: names.length === 0 ? gone : [] };
}

function mustBeTool({ tools, drafts, absent }: Catalog, name: string, waiting: string[]): void {
  if (drafts.includes(name)) {
    const mend = "complete its effects, target and description, and remove `status: draft`";
    throw new Stop(EXIT.no, `${name} is a draft: ${mend}`);
  }
  if (tools.has(name) && name !== "run_code") return;
  const why = absent.get(name) ?? "there is no such tool to approve";
  const known = waiting.join(", ") || "none";
  throw usageError(toolsApprove, `${name}: ${why} (waiting: ${known})`);
}

function changed({ tools }: Lock, { chosen, gone }: Change, by: string): Record<string, LockEntry> {
  const now_ms = systemClock.now();
  const kept = Object.entries(tools).filter(([name]) => !gone.some(({ tool }) => tool === name));
  const made = chosen.map((tool) => [tool.name, lockEntry(tool, by, now_ms)] as const);
  return Object.fromEntries([...kept, ...made]);
}

async function mustBeMeant(given: Given, { chosen }: Change): Promise<void> {
  if (given.flag("yes")) return;
  if (!process.stdin.isTTY) {
    if (given.words.length > 0) return;
    throw usageError(toolsApprove, "there is no terminal to ask: name the tools, or give --yes");
  }
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const many = chosen.length === 1 ? "this tool" : `these ${chosen.length} tools`;
  // The end of the input is a no.
  const ended = new Promise<string>((done) => lines.once("close", () => done("")));
  const answer = await Promise.race([lines.question(`Approve ${many}? [y/N] `), ended]);
  lines.close();
  if (!/^y(?:es)?$/i.test(answer.trim())) throw new Stop(EXIT.no, "nothing was approved");
}
