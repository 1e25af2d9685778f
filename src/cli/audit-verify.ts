// `audit verify`: is the log whole, and up to where is it covered? Offline; on copied files too.
import { existsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { verifyLedger } from "../ledger/verify.ts";
import type { Verification } from "../ledger/verify.ts";
import type { Evidence } from "../ledger/verify-checkpoints.ts";
import { CORE_HELP, CORE_OPTIONS, placeOf } from "./core.ts";
import { EXIT, paint, print, printJson, Stop } from "./output.ts";
import { readNamed, wordsOf } from "./verb.ts";
import type { Given, Verb } from "./verb.ts";

export const auditVerify: Verb = {
  name: "audit verify",
  usage: "audit verify [PATH] [--keys FILE] [--anchor FILE]",
  summary: "is the log whole? Offline; on copied files too",
  help: [
    "PATH            a ledger's folder (default: the data folder's ledger)",
    "--keys FILE     the verifier keys that you kept; those beside the log prove little",
    "--anchor FILE   checkpoints that somebody else kept: shows a cut end",
    ...CORE_HELP,
  ],
  options: { ...CORE_OPTIONS, keys: { type: "string" }, anchor: { type: "string" } },
  async run(given) {
    const [path] = wordsOf(auditVerify, given, "PATH?");
    const named = path === undefined ? join(placeOf(given).data, "ledger") : resolve(path);
    // A copy may be of the ledger's folder or of the whole data folder.
    const folder = existsSync(join(named, "ledger")) ? join(named, "ledger") : named;
    if (!existsSync(folder)) throw new Stop(EXIT.usage, `${folder} does not exist`);
    if (!statSync(folder).isDirectory()) throw new Stop(EXIT.usage, `${folder} is not a folder`);
    const evidence = evidenceOf(given, folder);
    const verified = verifyLedger(folder, evidence);
    if (given.flag("json")) printJson(verified);
    else show(verified, evidence);
    return verified.intact ? EXIT.ok : EXIT.no;
  },
};

// Where the log lies in its own data folder, the keys are outside it, as they should be.
function evidenceOf(given: Given, folder: string): Evidence {
  const beside = join(dirname(folder), "keys", "ledger-signing.pub");
  const keys = given.text("keys") ?? (existsSync(beside) ? beside : undefined);
  const anchor = given.text("anchor");
  for (const option of ["keys", "anchor"]) {
    const file = given.text(option);
    if (file !== undefined) readNamed(auditVerify, `--${option}`, file);
  }
  return {
    ...(keys === undefined ? {} : { public_keys: keys }),
    ...(anchor === undefined ? {} : { anchors: [anchor] }),
  };
}

function show(verified: Verification, { public_keys, anchors }: Evidence): void {
  const { intact, records, chained_to, head, covered_to, anchored_to, problems } = verified;
  print(intact ? paint("green", "intact") : paint("red", "NOT intact"));
  print(`${records} records, chained to ${chained_to} (${head})`);
  print(`signed to ${covered_to}, by ${keysOf(verified, public_keys)}`);
  print(
    anchors === undefined
      ? "not compared with what an anchor kept: that is --anchor FILE"
      : `anchored to ${anchored_to}, by ${anchors.join(", ")}`,
  );
  for (const problem of problems) print(`${problem.file}:${problem.line} ${problem.message}`);
}

function keysOf({ keys }: Verification, file: string | undefined): string {
  if (keys === "none") return "no key: there is none to judge by";
  if (file !== undefined) return `the keys in ${file}`;
  return "the keys that lie in the log's own folder; whoever changes one can change both";
}
