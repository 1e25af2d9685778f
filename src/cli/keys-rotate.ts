// `keys rotate`: a new key signs the log's checkpoints; the old one attests the change. With
// --vault, a new key wraps people's stored links, and the old one is forgotten.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isKeyLost, rotateSigningKey } from "../ledger/signing-key.ts";
import { openFolders } from "../store/folders.ts";
import { lockFolder } from "../store/lock.ts";
import { askCore, CORE_HELP, CORE_OPTIONS, placeOf } from "./core.ts";
import { EXIT, note, print, printJson } from "./output.ts";
import { byOperator, openStopped } from "./stopped-ledger.ts";
import { wordsOf } from "./verb.ts";
import type { Given, Verb } from "./verb.ts";

export const keysRotate: Verb = {
  name: "keys rotate",
  usage: "keys rotate [--vault]",
  summary: "replace the key that signs the log's checkpoints, or the one that wraps links",
  help: ["--vault         the key that wraps people's stored links", ...CORE_HELP],
  options: { ...CORE_OPTIONS, vault: { type: "boolean" } },
  async run(given) {
    wordsOf(keysRotate, given);
    if (given.flag("vault")) return rotateVault(given);
    const place = placeOf(given);
    const answer = isLost(place.data)
      ? await replaceLost(place.data)
      : await askCore(place, "/keys/rotate", {});
    if (given.flag("json")) printJson(answer);
    else print((answer as { verifier: string }).verifier);
    return EXIT.ok;
  },
};

// Without its key no doorless starts, so nobody can be asked for another.
function isLost(data: string): boolean {
  return existsSync(join(data, "ledger", "log_id")) && isKeyLost(join(data, "keys"));
}

async function replaceLost(data: string): Promise<{ verifier: string }> {
  const folders = openFolders(data);
  const lock = lockFolder(folders.data);
  try {
    const log_id = readFileSync(join(folders.ledger, "log_id"), "utf8").trim();
    const { current } = rotateSigningKey(folders.keys, log_id);
    const ledger = await openStopped(folders);
    const verifier = current.verifier.text;
    await ledger.event("operator", { ...byOperator("keys rotate"), lost: true });
    await ledger.event("key_rotated", { verifier });
    await ledger.close();
    note(
      "the key before is lost, so nothing attests this one: hand it to whoever verifies the log",
    );
    return { verifier };
  } finally {
    lock.release();
  }
}

async function rotateVault(given: Given): Promise<number> {
  const answer = await askCore(placeOf(given), "/keys/rotate-vault", {});
  const { kid, rows, left } = answer as { kid: string; rows: number; left: number };
  if (given.flag("json")) printJson(answer);
  else print(`${kid}: ${rows} links wrapped anew, ${left} left under older keys`);
  return left === 0 ? EXIT.ok : EXIT.no;
}
