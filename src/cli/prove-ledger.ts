// What `prove` checks of the ledger: that it shows what was done to it, that nothing runs without
// it, and that it keeps and forgets whom the law says.
import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CHECKPOINTS } from "../ledger/checkpoint-log.ts";
import { tombstoneAt } from "../ledger/retention.ts";
import { segmentName, segmentsOf } from "../ledger/segments.ts";
import { placeTombstone } from "../ledger/tombstone.ts";
import { verifyLedger } from "../ledger/verify.ts";
import { must } from "./prove-stage.ts";
import type { Answer, Stage } from "./prove-stage.ts";

const ASKED_AGAIN_MS = 1100;
const SIGNED_AGAIN_MS = 200;

/** Takes the open segment away from under the server, and puts it back. */
export async function noSinkNoCall(stage: Stage): Promise<string> {
  const token = await stage.token("mia", "sales");
  const call = (): Promise<Answer> => stage.call("sales", token, "crm_get_deal", { id: 42 });
  must((await call()).error_code === undefined, "the call failed before");
  const folder = join(stage.demo.ready.data, "ledger");
  const names = readdirSync(folder).filter((name) => name.endsWith(".jsonl"));
  const path = join(folder, names.toSorted().at(-1) ?? "");
  const rows = (await stage.saasRows()).length;
  renameSync(path, `${path}.away`);
  let answer: Answer;
  try {
    answer = await call();
  } finally {
    renameSync(`${path}.away`, path);
  }
  must(answer.error_code === "audit_unavailable", `without its log it said: ${answer.text}`);
  must(answer.text.includes("segment_missing"), `the cause is not named: ${answer.text}`);
  must((await stage.saasRows()).length === rows, "the SaaS got a request that is in no log");
  await new Promise((resolve) => setTimeout(resolve, ASKED_AGAIN_MS));
  const after = await call();
  must(after.error_code === undefined, `with its log back it said: ${after.text}`);
  return "a segment taken away: audit_unavailable, segment_missing; put back: it serves";
}

export async function legalHold(stage: Stage): Promise<string> {
  const token = await stage.token("zoe", "support");
  const called = await stage.call("support", token, "tickets_search", {});
  must(called.error_code === undefined, `the call failed: ${called.text}`);
  const who = { subject: "zoe", reason: "prove: a case before the court" };
  await stage.ask("/audit/hold", who);
  const refused = await stage.ask("/audit/erase", who).then(
    () => "",
    (error: unknown) => String(error),
  );
  await stage.ask("/audit/hold", { ...who, release: true });
  must(refused.includes("legal hold"), "a person under a legal hold was erased");
  return "an erasure of Zoe during a legal hold is refused; placing and ending it are on record";
}

/** A copy of the log that may be attacked, whole when it is handed over. */
interface Copy {
  readonly folder: string;
  /** As they were kept elsewhere. */
  readonly public_keys: string;
  readonly anchor: string;
  readonly lines: readonly string[];
  /** Other lines in the place of its own. */
  write(lines: readonly string[]): void;
}

async function onCopy(stage: Stage, attack: (copy: Copy) => string): Promise<string> {
  const answer = await stage.call("sales", await stage.token("mia", "sales"), "crm_get_deal", {
    id: 42,
  });
  must(answer.error_code === undefined, `the call failed: ${answer.text}`);
  await coveredNow(join(stage.demo.ready.data, "ledger"));
  const parent = mkdtempSync(join(tmpdir(), "doorless-prove-ledger-"));
  try {
    const { data } = stage.demo.ready;
    const [folder, anchor] = [join(parent, "ledger"), join(parent, "anchor")];
    // The checkpoints first: the log grows meanwhile, and they must not be ahead of it.
    cpSync(join(data, "ledger", CHECKPOINTS), anchor);
    cpSync(join(data, "ledger"), folder, { recursive: true });
    cpSync(anchor, join(folder, CHECKPOINTS));
    const [path = ""] = segmentsOf(folder);
    return attack({
      folder,
      anchor,
      public_keys: join(data, "keys", "ledger-signing.pub"),
      lines: readFileSync(path, "utf8").trimEnd().split("\n"),
      write: (lines) => writeFileSync(path, lines.map((line) => `${line}\n`).join("")),
    });
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
}

// A checkpoint is signed about once a second.
async function coveredNow(folder: string): Promise<void> {
  const { chained_to } = verifyLedger(folder);
  for (let asked = 0; verifyLedger(folder).covered_to < chained_to; asked++) {
    must(asked < 100, "no checkpoint covers the call");
    await new Promise((resolve) => setTimeout(resolve, SIGNED_AGAIN_MS));
  }
}

function mustBeWhole({ folder, public_keys }: Copy) {
  const whole = verifyLedger(folder, { public_keys });
  must(whole.intact, whole.problems.map((problem) => problem.message).join("; "));
  return whole;
}

/** Whoever has no key changes a line, and makes the chain good again. */
function chainedAnew(lines: readonly string[]): string[] {
  let prev = "0".repeat(64);
  return lines.map((line) => {
    const text = JSON.stringify({ ...(JSON.parse(line) as object), prev });
    prev = createHash("sha256").update(text).digest("hex");
    return text;
  });
}

export function chain(stage: Stage): Promise<string> {
  return onCopy(stage, (copy) => {
    const { records } = mustBeWhole(copy);
    const { lines, folder } = copy;
    const at = lines.findLastIndex((line) => line.includes('"subject":"mia"'));
    const line = lines[at] ?? "";
    const attacks: Readonly<Record<string, readonly string[]>> = {
      "a changed name": lines.with(at, line.replace('"subject":"mia"', '"subject":"bob"')),
      "a removed line": lines.toSpliced(at, 1),
      "a repeated line": lines.toSpliced(at, 0, line),
      "two swapped lines": lines.with(at, lines[at - 1] ?? "").with(at - 1, line),
    };
    for (const [what, changed] of Object.entries(attacks)) {
      copy.write(changed);
      must(!verifyLedger(folder).intact, `${what} was not noticed`);
    }
    return `${records} records in one chain; found: ${Object.keys(attacks).join(", ")}`;
  });
}

export function signed(stage: Stage): Promise<string> {
  return onCopy(stage, (copy) => {
    const { covered_to } = mustBeWhole(copy);
    must(covered_to > 0, "no checkpoint covers the log");
    const { folder, lines, public_keys, anchor } = copy;
    const at = lines.findIndex((line) => line.includes('"subject":"mia"'));
    const other = (lines[at] ?? "").replace('"subject":"mia"', '"subject":"bob"');
    copy.write(chainedAnew(lines.with(at, other)));
    must(!verifyLedger(folder, { public_keys }).intact, "a log with a new chain was believed");
    copy.write(lines.slice(0, covered_to - 1));
    must(!verifyLedger(folder, { public_keys }).intact, "a cut end was not noticed");
    const file = join(folder, CHECKPOINTS);
    const notes = readFileSync(file, "utf8");
    const [first = ""] = notes.split(/(?<=^---\n)/m);
    writeFileSync(file, first);
    const cut = verifyLedger(folder, { public_keys, anchors: [anchor] });
    must(!cut.intact, "an end that was cut with its checkpoints was not noticed");
    copy.write(lines);
    writeFileSync(file, notes.replace(/^\d+$/m, "1000000"));
    must(!verifyLedger(folder, { public_keys }).intact, "a forged checkpoint was believed");
    const found = "a rewritten log, a cut end, one cut with its checkpoints (by an anchor)";
    return `signed up to record ${covered_to}; found: ${found}, a forged checkpoint`;
  });
}

export function retained(stage: Stage): Promise<string> {
  return onCopy(stage, (copy) => {
    const { covered_to } = mustBeWhole(copy);
    const { folder, lines, public_keys } = copy;
    const dropped_to = Math.floor(covered_to / 2);
    copy.write(lines.slice(0, dropped_to));
    const rest = lines.slice(dropped_to).map((line) => `${line}\n`);
    writeFileSync(join(folder, segmentName(dropped_to + 1)), rest.join(""));
    mustBeWhole(copy);
    const stone = tombstoneAt(folder, dropped_to);
    rmSync(join(folder, segmentName(1)));
    must(!verifyLedger(folder, { public_keys }).intact, "a missing segment was not noticed");
    placeTombstone(folder, stone);
    must(!verifyLedger(folder, { public_keys }).intact, "a tombstone that nobody signed counted");
    return `${dropped_to} records taken away: found, also with a tombstone that fits them`;
  });
}

export async function erased(stage: Stage): Promise<string> {
  const canary = "prove_canary_of_zoe";
  await stage.call("support", await stage.token("zoe", "support"), canary, {});
  const [record] = await stage.ledger({ outcome: "refused", limit: 1 });
  const which = { call_id: record?.call_id, reason: "prove" };
  const revealed = async (): Promise<unknown> =>
    ((await stage.ask("/audit/reveal", which)) as { record: { tool: unknown } }).record.tool;
  must((await revealed()) === canary, "the name of a tool that does not exist is not on record");
  await stage.ask("/audit/erase", { subject: "zoe", reason: "prove: she asked" });
  must(JSON.stringify(await revealed()) === '{"erased":true}', "it can still be read");
  must(!stage.traces().includes(canary), "it stands in a file or a log line");
  const { intact } = verifyLedger(join(stage.demo.ready.data, "ledger"));
  must(intact, "the log is not whole any more");
  return "what Zoe's agent made up is gone with her key; who, when and how it ended stay";
}
