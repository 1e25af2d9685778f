// A start after a crash: what is cut, what is refused, and what happens to calls that were running.
import { createHash } from "node:crypto";
import { appendFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect } from "vitest";
import { rememberSigned } from "../../../src/ledger/last-signed.ts";
import { LedgerDamaged, segmentsOf } from "../../../src/ledger/segments.ts";
import { repairLedger } from "../../../src/ledger/repair.ts";
import { OPERATOR, plainNames } from "../../../src/ledger/query.ts";
import { readLedger } from "../../../src/ledger/ledger.ts";
import { verifyLedger } from "../../../src/ledger/verify.ts";
import { verifies } from "../../verifies.ts";
import { testFolder } from "../../setup/minimal.ts";
import { asked, call, fillingDisk, inFolder, intent, linesOf, opened } from "./entries.ts";

const lastSegment = (folder: string): string => segmentsOf(folder).at(-1) ?? "";

async function crashed(running: readonly string[] = []): Promise<string> {
  const { ledger, folder } = await opened();
  await call(ledger, "done");
  for (const id of running) await ledger.intent(intent(id));
  await ledger.close();
  return folder;
}

describe("a torn tail", () => {
  for (const torn of ['{"v":1,"seq":3,"pre', "x", '{"v":1}']) {
    verifies(
      "ledger.kill",
      `${torn.length} bytes without a newline are cut and reported`,
      async () => {
        const folder = await crashed();
        appendFileSync(lastSegment(folder), torn);
        expect(verifyLedger(folder).intact).toBe(false);
        const { ledger, recovery } = await opened(folder);
        expect(recovery).toEqual({ cut_bytes: torn.length, orphans: 0 });
        await call(ledger, "next");
        await ledger.close();
        expect(verifyLedger(folder)).toMatchObject({ intact: true, records: 5 });
        expect(linesOf(folder)[2]).toMatchObject({
          kind: "event",
          event: "recovered",
          detail: { cut_bytes: torn.length },
        });
      },
    );
  }

  verifies(
    "ledger.kill",
    "a segment that is empty, made just before the crash, is used",
    async () => {
      const folder = await crashed();
      writeFileSync(inFolder(folder, "000000000003.jsonl"), "");
      const { ledger, recovery } = await opened(folder);
      expect(recovery.cut_bytes).toBe(0);
      await call(ledger, "next");
      await ledger.close();
      expect(verifyLedger(folder)).toMatchObject({ intact: true, records: 4 });
    },
  );
});

describe("a damaged log", () => {
  verifies(
    "ledger.chain",
    "with an empty segment of a wrong number is not written on",
    async () => {
      const folder = await crashed();
      writeFileSync(inFolder(folder, "000000009999.jsonl"), "");
      expect(verifyLedger(folder).intact).toBe(false);
      await expect(opened(folder)).rejects.toThrow(/000000009999.jsonl:0 holds nothing/);
      repairLedger(folder, `${folder}-keys`, `${testFolder()}/evidence`);
      await (await opened(folder, { accept_loss: true })).ledger.close();
      expect(verifyLedger(folder).intact).toBe(true);
    },
  );

  verifies(
    "ledger.chain",
    "with a changed middle stops the start and changes nothing",
    async () => {
      const folder = await crashed(["a", "b"]);
      const path = lastSegment(folder);
      const text = readFileSync(path, "utf8").replace('"subject":"ada"', '"subject":"bob"');
      writeFileSync(path, `${text}torn`);
      await expect(opened(folder)).rejects.toThrow(LedgerDamaged);
      await expect(opened(folder)).rejects.toThrow(/000000000001\.jsonl:2 .*hash chain/);
      expect(readFileSync(path, "utf8")).toBe(`${text}torn`);
    },
  );

  verifies("ledger.chain", "with a torn segment before the last stops the start", async () => {
    const { ledger, folder } = await opened(testFolder(), { segment_bytes_max: 500 });
    for (const id of ["a", "b", "c"]) await call(ledger, id);
    await ledger.close();
    const [first = ""] = segmentsOf(folder);
    writeFileSync(first, readFileSync(first).subarray(0, -3));
    await expect(opened(folder)).rejects.toThrow(LedgerDamaged);
  });
});

/** Changes a record and makes the chain good again: what anybody can do without the key. */
function rewrite(folder: string): void {
  const path = lastSegment(folder);
  let prev = "0".repeat(64);
  const lines = linesOf(folder).map((line) => {
    const text = JSON.stringify({ ...line, prev }).replace('"subject":"ada"', '"subject":"bob"');
    prev = createHash("sha256").update(text).digest("hex");
    return `${text}\n`;
  });
  writeFileSync(path, lines.join(""));
}

describe("a rewritten log is not signed again", () => {
  async function rewritten(): Promise<{ folder: string; checkpoints: string; first: string }> {
    const { ledger, folder } = await opened();
    const checkpoints = inFolder(folder, "checkpoints");
    await call(ledger, "a");
    await ledger.checkpoint();
    const first = readFileSync(checkpoints, "utf8");
    await call(ledger, "b");
    await ledger.close();
    rewrite(folder);
    return { folder, checkpoints, first };
  }

  verifies("ledger.signed", "when its checkpoints stand as they were", async () => {
    const { folder } = await rewritten();
    await expect(opened(folder)).rejects.toThrow(/4 records are not those .* signed for/);
  });

  verifies("ledger.signed", "when it is a copy that went on elsewhere, with the key", async () => {
    const { ledger, folder } = await opened();
    await call(ledger, "a");
    await ledger.close();
    const copy = `${testFolder()}/copy`;
    for (const end of ["", "-keys"]) cpSync(folder + end, copy + end, { recursive: true });
    for (const [place, ids] of [
      [folder, "b"],
      [copy, "cde"],
    ] as const) {
      const own = await opened(place);
      for (const id of ids) await call(own.ledger, id);
      await own.ledger.close();
    }
    rmSync(folder, { recursive: true });
    cpSync(copy, folder, { recursive: true });
    await expect(opened(folder)).rejects.toThrow(/are not those .* signed for/);
  });

  verifies("ledger.signed", "where what was signed cannot be remembered, and not for room", () => {
    const head = { size: 1, root: Buffer.alloc(32) };
    expect(() => rememberSigned(`${testFolder()}/nowhere`, head)).toThrow(/ENOENT/);
  });

  verifies("ledger.signed", "when what is remembered of it cannot be read", async () => {
    const { folder } = await rewritten();
    writeFileSync(`${folder}-keys/ledger-signed`, "4\n");
    await expect(opened(folder)).rejects.toThrow(/does not say which checkpoint was signed last/);
  });

  verifies("ledger.signed", "nor one that was signed before that was remembered", async () => {
    const { ledger, folder } = await opened();
    await call(ledger, "a");
    await ledger.close();
    rmSync(`${folder}-keys/ledger-signed`);
    await (await opened(folder)).ledger.close();
    rmSync(inFolder(folder, "checkpoints"));
    await expect(opened(folder)).rejects.toThrow(/a checkpoint at 2 was signed/);
  });

  verifies("ledger.signed", "when its checkpoints were removed", async () => {
    const { folder, checkpoints } = await rewritten();
    rmSync(checkpoints);
    await expect(opened(folder)).rejects.toThrow(/checkpoint at 4 was signed.*repair/);
    // The refusal must not have made it startable.
    await expect(opened(folder)).rejects.toThrow(LedgerDamaged);
  });

  verifies("ledger.signed", "when they were cut", async () => {
    const { folder, checkpoints, first } = await rewritten();
    writeFileSync(checkpoints, first);
    await expect(opened(folder)).rejects.toThrow(/ends at 2, and a checkpoint at 4 was signed/);
  });

  verifies("ledger.signed", "when somebody else has signed them", async () => {
    const { folder, checkpoints } = await rewritten();
    const other = await opened();
    for (const id of ["x", "y", "z"]) await call(other.ledger, id);
    await other.ledger.close();
    writeFileSync(checkpoints, readFileSync(inFolder(other.folder, "checkpoints")));
    await expect(opened(folder)).rejects.toThrow(/no key of this log has signed/);
  });

  verifies("ledger.repair", "unless the loss is accepted, which says what is gone", async () => {
    const { folder, checkpoints } = await rewritten();
    rmSync(checkpoints);
    const repaired = repairLedger(folder, `${folder}-keys`, `${testFolder()}/evidence`);
    expect(repaired.problems.map(({ message }) => message)).toEqual([
      "the checkpoint at 4 that was signed is of another log than this",
    ]);
    const { ledger } = await opened(folder, { accept_loss: true });
    await call(ledger, "after");
    await ledger.close();
    const again = await opened(folder);
    await again.ledger.close();
    expect(verifyLedger(folder)).toMatchObject({ intact: true });
  });

  for (const [what, which] of Object.entries({ middle: 2, first: 0 })) {
    verifies("ledger.repair", `also where the ${what} of its segments is gone`, async () => {
      const { ledger, folder } = await opened(undefined, { segment_bytes_max: 900 });
      for (const id of ["a", "b", "c", "d", "e"]) await call(ledger, id);
      await ledger.close();
      const paths = segmentsOf(folder);
      expect(paths.length).toBeGreaterThan(4);
      rmSync(paths[which] ?? "");
      await expect(opened(folder)).rejects.toThrow(/audit repair|begins with/);
      if (which === 0) writeFileSync(inFolder(folder, "000000000001.jsonl"), "x\n");
      repairLedger(folder, `${folder}-keys`, `${testFolder()}/evidence`);
      const repaired = await opened(folder, { accept_loss: true });
      await call(repaired.ledger, "after");
      await repaired.ledger.close();
      expect(verifyLedger(folder).problems).toEqual([]);
      await (await opened(folder)).ledger.close();
    });
  }

  verifies("ledger.repair", "also where folders stand after the fault", async () => {
    const { ledger, folder } = await opened();
    await call(ledger, "a");
    await ledger.close();
    for (const seq of [8, 9]) mkdirSync(inFolder(folder, `00000000000${seq}.jsonl`));
    repairLedger(folder, `${folder}-keys`, `${testFolder()}/evidence`);
    expect(segmentsOf(folder)).toHaveLength(1);
    await (await opened(folder, { accept_loss: true })).ledger.close();
  });

  verifies("ledger.repair", "also where a tombstone that is none stands for nothing", async () => {
    const { ledger, folder } = await opened();
    await call(ledger, "a");
    await ledger.close();
    writeFileSync(inFolder(folder, "tombstone.json"), "{");
    expect(verifyLedger(folder)).toMatchObject({ intact: false, records: 2, covered_to: 2 });
    await expect(opened(folder)).rejects.toThrow(/is no tombstone: restore it/);
    const repaired = repairLedger(folder, `${folder}-keys`, `${testFolder()}/found`);
    expect(repaired).toMatchObject({ kept_to: 2, dropped_checkpoints: 0 });
    expect(repaired.problems).toHaveLength(1);
    await (await opened(folder)).ledger.close();
    expect(verifyLedger(folder).intact).toBe(true);
  });

  verifies("ledger.repair", "also where a checkpoint is none, and says what it cut", async () => {
    const { ledger, folder } = await opened();
    for (const id of ["a", "b"]) await call(ledger, id);
    await ledger.close();
    const [segment = ""] = segmentsOf(folder);
    const text = readFileSync(segment, "utf8");
    writeFileSync(segment, text.replace('"seq":3', '"seq":9'));
    writeFileSync(inFolder(folder, "checkpoints"), "garbage\n---\n");
    const repaired = repairLedger(folder, `${folder}-keys`, `${testFolder()}/found`);
    expect(repaired).toMatchObject({ kept_to: 2, dropped_checkpoints: 1 });
    expect(repaired.problems.length).toBeGreaterThan(0);
  });

  verifies("ledger.repair", "also where no more than the checkpoints is gone", async () => {
    const { ledger, folder } = await opened();
    await call(ledger, "a");
    await ledger.close();
    rmSync(inFolder(folder, "checkpoints"));
    const { kept_to, problems } = repairLedger(folder, `${folder}-keys`, `${testFolder()}/found`);
    expect(kept_to).toBe(2);
    expect(problems.map(({ message }) => message)).toEqual([
      "the checkpoint at 2 that was signed is gone",
    ]);
  });

  verifies("ledger.kill", "yet one that was never signed starts", async () => {
    const { ledger, folder } = await opened();
    await call(ledger, "a");
    await ledger.close();
    rmSync(inFolder(folder, "checkpoints"));
    rmSync(`${folder}-keys/ledger-signed`);
    const again = await opened(folder);
    await again.ledger.close();
    expect(verifyLedger(folder)).toMatchObject({ intact: true, covered_to: 2 });
  });
});

describe("calls that were running", () => {
  verifies("ledger.kill", "get an outcome unknown each, once, and an event says so", async () => {
    const folder = await crashed(["a", "b"]);
    const first = await opened(folder);
    expect(first.recovery).toEqual({ cut_bytes: 0, orphans: 2 });
    await first.ledger.close();
    const ends = linesOf(folder).filter((line) => line["kind"] === "outcome");
    expect(ends.map(({ call_id, outcome, effect }) => ({ call_id, outcome, effect }))).toEqual([
      { call_id: "done", outcome: "ok", effect: "done" },
      { call_id: "a", outcome: "unknown", effect: "unknown" },
      { call_id: "b", outcome: "unknown", effect: "unknown" },
    ]);
    expect(linesOf(folder).at(-1)).toMatchObject({ event: "recovered", detail: { orphans: 2 } });
    expect((await opened(folder)).recovery).toEqual({ cut_bytes: 0, orphans: 0 });
  });
});

describe("the index", () => {
  verifies("ledger.record", "built anew is what it was when it followed the log", async () => {
    const folder = testFolder();
    const index_file = inFolder(testFolder(), "index.sqlite");
    const { ledger } = await opened(folder, { index_file, segment_bytes_max: 900 });
    for (let i = 0; i < 30; i++) await call(ledger, `c${i}`, { subject: `s${i % 3}` });
    await ledger.intent(intent("running"));
    const followed = await asked(ledger, { limit: 1000 });
    await ledger.close();
    const rebuilt = readLedger(folder, plainNames);
    expect(await rebuilt.query({ limit: 1000 }, OPERATOR)).toEqual(followed);
    expect(followed.records).toHaveLength(31);
    await rebuilt.close();
  });

  verifies(
    "ledger.record",
    "that is behind, or of another log, catches up at a start",
    async () => {
      const index_file = inFolder(testFolder(), "index.sqlite");
      const longer = await opened(testFolder(), { index_file });
      for (const id of ["x", "y", "z"]) await call(longer.ledger, id);
      await longer.ledger.close();
      const folder = await crashed();
      const other = await opened(folder, { index_file });
      const { records } = await asked(other.ledger, { limit: 10 });
      expect(records.map(({ call_id }) => call_id)).toEqual(["done"]);
      await other.ledger.close();
      // Behind: lines that only the log has.
      const writer = await opened(folder);
      await call(writer.ledger, "later");
      await writer.ledger.close();
      const behind = await opened(folder, { index_file });
      const caught = await asked(behind.ledger, { limit: 10 });
      expect(caught.records.map(({ call_id }) => call_id)).toEqual(["later", "done"]);
    },
  );
});

describe("an anchor", () => {
  const away = { name: "test:away", put: () => Promise.reject(new Error("nobody is there")) };
  const said = (folder: string): unknown[] =>
    linesOf(folder).flatMap((line) => (line["event"] === "anchor" ? [line["detail"]] : []));

  verifies(
    "ledger.signed",
    "that is away keeps no log from opening, and is on record",
    async () => {
      const folder = await crashed();
      const { ledger, fatal } = await opened(folder, { anchors: [away] });
      await call(ledger, "a");
      await ledger.close();
      expect(said(folder)).toMatchObject([{ name: "test:away" }]);
      expect(fatal).toEqual([]);
    },
  );

  verifies("ledger.signed", "that fails on a full disk stops nothing for good", async () => {
    const disk = fillingDisk();
    const open = await opened(undefined, { anchors: [away], openSegment: disk.openSegment });
    const { ledger, folder, clock, fatal } = open;
    await call(ledger, "a");
    disk.isFull = true;
    expect(await ledger.checkpoint()).toBe(true);
    await expect(ledger.intent(intent("b"))).rejects.toThrow(/full/);
    expect(fatal).toEqual([]);
    disk.isFull = false;
    clock.ms += 1000;
    await call(ledger, "c");
    await ledger.close();
    expect(said(folder)).toMatchObject([{ name: "test:away" }]);
  });

  verifies("ledger.signed", "that fails at the very end makes no failure of the end", async () => {
    const { ledger, fatal } = await opened(undefined, { anchors: [away] });
    await call(ledger, "a");
    await ledger.close();
    expect(fatal).toEqual([]);
  });
});
