// `audit verify`: is the log whole, and up to where is it covered? Offline; on copied files too.
import { existsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { verifyLedger } from "../ledger/verify.ts";
import { CORE_HELP, CORE_OPTIONS, placeOf } from "./core.ts";
import { EXIT, paint, print, printJson, Stop } from "./output.ts";
import { usageError, wordsOf } from "./verb.ts";
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
    const verified = verifyLedger(folder, evidenceOf(given, folder));
    if (given.flag("json")) printJson(verified);
    else show(verified);
    return verified.intact ? EXIT.ok : EXIT.no;
  },
};

// Where the log lies in its own data folder, the keys are outside it, as they should be.
function evidenceOf(given: Given, folder: string) {
  const beside = join(dirname(folder), "keys", "ledger-signing.pub");
  const keys = given.text("keys") ?? (existsSync(beside) ? beside : undefined);
  const anchor = given.text("anchor");
  for (const file of [keys, anchor]) {
    if (file === undefined || existsSync(file)) continue;
    throw usageError(auditVerify, `${file} does not exist`);
  }
  return {
    ...(keys === undefined ? {} : { public_keys: keys }),
    ...(anchor === undefined ? {} : { anchors: [anchor] }),
  };
}

function show(verified: ReturnType<typeof verifyLedger>): void {
  const { intact, records, chained_to, head, covered_to, anchored_to, keys, problems } = verified;
  print(intact ? paint("green", "intact") : paint("red", "NOT intact"));
  print(`${records} records, chained to ${chained_to} (${head})`);
  print(`signed to ${covered_to}, with keys ${keys}; anchored to ${anchored_to ?? "nothing"}`);
  for (const problem of problems) print(`${problem.file}:${problem.line} ${problem.message}`);
}
