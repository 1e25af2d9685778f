// The command: one verb per file, found here by its words.
import { ConfigError } from "../config/problem.ts";
import { BadQuestion } from "../console/people.ts";
import { systemErrorInWords } from "../kernel/in-words.ts";
import { KeyringDamaged } from "../ledger/keyring.ts";
import { LedgerUnavailable } from "../ledger/room.ts";
import { LedgerDamaged } from "../ledger/segments.ts";
import { SigningKeyLost } from "../ledger/signing-key.ts";
import { FolderInUse, LockDamaged } from "../store/lock.ts";
import { auditErase } from "./audit-erase.ts";
import { auditHold } from "./audit-hold.ts";
import { auditExport } from "./audit-export.ts";
import { auditHash } from "./audit-hash.ts";
import { auditQuery } from "./audit-query.ts";
import { auditReindex } from "./audit-reindex.ts";
import { auditRepair } from "./audit-repair.ts";
import { auditShow } from "./audit-show.ts";
import { auditVerify } from "./audit-verify.ts";
import { call } from "./call.ts";
import { connectionsLs, connectionsRevoke } from "./connections.ts";
import { contractsAccept, contractsCheck, contractsUpdate } from "./contracts.ts";
import { demo, demoSet, demoToken } from "./demo.ts";
import { doctor } from "./doctor.ts";
import { errors } from "./errors.ts";
import { keysRotate } from "./keys-rotate.ts";
import { explain } from "./explain.ts";
import { EXIT, note, print, Stop } from "./output.ts";
import { lockAdd, lockLs, lockRm } from "./lock.ts";
import { login } from "./login.ts";
import { logout } from "./logout.ts";
import { plan } from "./plan.ts";
import { prove } from "./prove.ts";
import { schema } from "./schema.ts";
import { sessionsKill, sessionsLs } from "./sessions.ts";
import { start } from "./start.ts";
import { stdio } from "./stdio.ts";
import { surface } from "./surface.ts";
import { helpOf, parseGiven } from "./verb.ts";
import type { Verb } from "./verb.ts";
import { whoami } from "./whoami.ts";
import { toolsApprove } from "./tools-approve.ts";
import { toolsImportOpenapi } from "./tools-import.ts";
import { toolsShow } from "./tools-show.ts";
import { toolsTry } from "./tools-try.ts";
import { toolsVerify } from "./tools-verify.ts";
import { version } from "./version.ts";

// Longer names first: `demo token` before `demo`.
const VERBS: readonly Verb[] = [
  demoToken,
  demoSet,
  demo,
  start,
  stdio,
  login,
  logout,
  whoami,
  surface,
  explain,
  plan,
  call,
  auditQuery,
  auditShow,
  auditVerify,
  auditExport,
  auditHash,
  auditReindex,
  auditErase,
  auditHold,
  auditRepair,
  sessionsLs,
  sessionsKill,
  lockAdd,
  lockRm,
  lockLs,
  keysRotate,
  connectionsLs,
  connectionsRevoke,
  toolsImportOpenapi,
  toolsShow,
  toolsTry,
  toolsVerify,
  toolsApprove,
  contractsCheck,
  contractsUpdate,
  contractsAccept,
  doctor,
  prove,
  schema,
  errors,
  version,
];

async function main(typed: readonly string[]): Promise<number> {
  const args = asVerb(typed);
  const verb = VERBS.find(({ name }) => name.split(" ").every((word, i) => args[i] === word));
  if (verb === undefined) return withoutVerb(args);
  const given = parseGiven(verb, args.slice(verb.name.split(" ").length));
  if (!given.flag("help")) return verb.run(given);
  const under = verbsUnder(verb.name);
  print(under.length === 0 ? helpOf(verb) : `${helpOf(verb)}\n\n${listOf(under)}`);
  return EXIT.ok;
}

// As other programs have it: `--version`, and `help VERB`.
function asVerb(typed: readonly string[]): readonly string[] {
  const [first, ...rest] = typed;
  if (first === "--version" || first === "-v") return ["version", ...rest];
  return first === "help" ? [...rest, "--help"] : typed;
}

// Of one group of verbs where there is one: `audit`, `lock --help`.
function withoutVerb(args: readonly string[]): number {
  const [first = ""] = args;
  const group = verbsUnder(first);
  const [verbs, words, rest] =
    group.length === 0 ? [VERBS, "VERB", args] : [group, `${first} VERB`, args.slice(1)];
  const overview = `usage: doorless ${words} [--help]\n\n${listOf(verbs)}`;
  const [next] = rest;
  const isAsked = next === "--help" || next === "-h";
  if (isAsked || next === undefined) print(overview);
  else {
    const typed = args.filter((word) => word !== "--help").slice(0, 2);
    note(`there is no verb ${JSON.stringify(typed.join(" "))}\n\n${overview}`);
  }
  return isAsked ? EXIT.ok : EXIT.usage;
}

function verbsUnder(word: string): readonly Verb[] {
  return VERBS.filter(({ name }) => name.startsWith(`${word} `));
}

function listOf(verbs: readonly Verb[]): string {
  const width = Math.max(...verbs.map(({ name }) => name.length));
  const lines = verbs.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return lines.toSorted().join("\n");
}

/** The exit code and the sentence for what a verb threw. */
function explainFailure(error: unknown): { code: number; message: string } {
  if (error instanceof Stop) return { code: error.code, message: error.message };
  if (error instanceof ConfigError || error instanceof BadQuestion) {
    return { code: EXIT.usage, message: error.message };
  }
  const ofTheFolder = [
    FolderInUse,
    KeyringDamaged,
    LedgerDamaged,
    LedgerUnavailable,
    LockDamaged,
    SigningKeyLost,
  ];
  if (error instanceof Error && ofTheFolder.some((kind) => error instanceof kind)) {
    return { code: EXIT.usage, message: error.message };
  }
  const { code, message } = error as NodeJS.ErrnoException;
  // The operating system's no, to a file or a port that somebody named: no stack.
  if (typeof code === "string" && /^E[A-Z]+$/.test(code)) {
    return { code: EXIT.usage, message: systemRefusal(error as SystemError) };
  }
  const stack = error instanceof Error ? error.stack : undefined;
  const isDebug = process.env["DOORLESS_LOG"] === "debug";
  return { code: EXIT.no, message: (isDebug ? stack : undefined) ?? message ?? "unknown error" };
}

interface SystemError extends NodeJS.ErrnoException {
  readonly address?: string;
  readonly port?: number;
}

function systemRefusal(error: SystemError): string {
  const { syscall, address = "", port, path } = error;
  const why = systemErrorInWords(error);
  if (syscall !== "listen") return path === undefined ? why : `${path}: ${why}`;
  const mend = "`demo --port N` (0 picks free ones), /listen/port in the configuration of `start`";
  return `cannot listen at ${address}:${port}: ${why}; choose another port: ${mend}`;
}

// A reader that has seen enough (`| head`) is not an error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? EXIT.ok : EXIT.no);
});

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const { code, message } = explainFailure(error);
  note(message);
  process.exitCode = code;
}
