// Refusals: recorded, and from the sixth identical one on counted, so that no loop fills the disk.
import { describe, expect } from "vitest";
import { verifies } from "../../verifies.ts";
import { asked, fillingDisk, linesOf, opened, refusalOf } from "./entries.ts";

const countsOf = (folder: string): unknown[] => linesOf(folder).map((line) => line["count"]);

describe("refusals", () => {
  verifies(
    "ledger.refusals",
    "five are written one by one, the rest as one with its count",
    async () => {
      const { ledger, folder } = await opened();
      for (let i = 1; i <= 5; i++) await ledger.refusal(refusalOf(`r${i}`));
      expect(countsOf(folder)).toEqual([1, 1, 1, 1, 1]);
      for (let i = 6; i <= 1000; i++) await ledger.refusal(refusalOf(`r${i}`));
      expect(countsOf(folder)).toHaveLength(5);
      const { records } = await asked(ledger, { limit: 100 });
      expect(records.map(({ count }) => count)).toEqual([
        995,
        ...Array<undefined>(5).fill(undefined),
      ]);
      expect(records[0]?.call_id).toBe("r1000");
      expect(countsOf(folder)).toEqual([1, 1, 1, 1, 1, 995]);
    },
  );

  verifies(
    "ledger.refusals",
    "no more than a thousand are only counted: a process that is killed loses fewer",
    async () => {
      const { ledger, folder } = await opened();
      for (let i = 1; i <= 3500; i++) {
        await ledger.refusal(refusalOf(`r${i}`));
        if (i % 499 !== 0) continue;
        const written = countsOf(folder).reduce<number>((sum, n) => sum + Number(n), 0);
        expect(i - written).toBeLessThan(1000);
      }
      expect(countsOf(folder)).toEqual([1, 1, 1, 1, 1, 1000, 1000, 1000]);
      await ledger.close();
      expect(countsOf(folder).at(-1)).toBe(495);
    },
  );

  verifies(
    "ledger.refusals",
    "a count for which there was no room goes on, and none of it is lost",
    async () => {
      const disk = fillingDisk();
      const { ledger, folder, clock } = await opened(undefined, { openSegment: disk.openSegment });
      for (let i = 1; i <= 1004; i++) await ledger.refusal(refusalOf(`r${i}`));
      disk.isFull = true;
      // The thousandth that is counted is due, and finds the disk full.
      await expect(ledger.refusal(refusalOf("r1005"))).rejects.toThrow(/full/);
      disk.isFull = false;
      clock.ms += 10_000;
      await ledger.refusal(refusalOf("r1006"));
      await ledger.close();
      expect(countsOf(folder).reduce<number>((sum, n) => sum + Number(n), 0)).toBe(1006);
    },
  );

  verifies(
    "ledger.no-sink-no-call",
    "what holds already is on record before what came after it",
    async () => {
      const disk = fillingDisk();
      const { ledger, folder, clock } = await opened(undefined, { openSegment: disk.openSegment });
      await ledger.event("clock", { by_ms: 1 });
      disk.isFull = true;
      expect(await ledger.eventually("clock", { by_ms: 2 })).toBe(false);
      disk.isFull = false;
      clock.ms += 1000;
      await ledger.event("clock", { by_ms: 3 });
      expect(linesOf(folder).map(({ detail }) => detail)).toEqual([
        { by_ms: 1 },
        { by_ms: 2 },
        { by_ms: 3 },
      ]);
    },
  );

  verifies(
    "ledger.refusals",
    "what was only counted is written when the window is over",
    async () => {
      const { ledger, folder, clock } = await opened();
      for (let i = 1; i <= 8; i++) await ledger.refusal(refusalOf(`r${i}`));
      clock.ms += 9999;
      await ledger.refusal(refusalOf("other", { tool: "item_get" }));
      expect(countsOf(folder)).toEqual([1, 1, 1, 1, 1, 1]);
      clock.ms += 1;
      await ledger.refusal(refusalOf("r9"));
      // It goes on, so it is only counted, until a window has passed without it.
      expect(countsOf(folder)).toEqual([1, 1, 1, 1, 1, 1, 3]);
      clock.ms += 10_000;
      await ledger.refusal(refusalOf("r10"));
      expect(countsOf(folder)).toHaveLength(7);
      clock.ms += 10_000;
      await ledger.refusal(refusalOf("other", { tool: "item_get" }));
      expect(countsOf(folder).slice(7)).toEqual([2, 1]);
      clock.ms += 10_000;
      await ledger.refusal(refusalOf("r11"));
      expect(countsOf(folder).slice(9)).toEqual([1]);
    },
  );

  verifies(
    "ledger.refusals",
    "a loop that goes on is written ever more seldom, and once a minute at least",
    async () => {
      const { ledger, folder, clock } = await opened();
      for (let s = 0; s < 300; s++) {
        await ledger.refusal(refusalOf(`r${s}`));
        clock.ms += 1000;
      }
      await ledger.close();
      expect(countsOf(folder)).toEqual([1, 1, 1, 1, 1, 5, 20, 40, 60, 60, 60, 50]);
    },
  );

  verifies(
    "ledger.refusals",
    "of the first five everything is kept, of those after them what fits a short line",
    async () => {
      const { ledger, folder } = await opened(undefined, { digestOf: () => "hmac-sha256:of-it" });
      const text = "x".repeat(8000);
      for (let i = 0; i < 60; i++) {
        await ledger.refusal(refusalOf(`r${i}`, { args: { text, id: i } }));
      }
      await ledger.close();
      const lines = linesOf(folder);
      for (const line of lines.slice(0, 5)) expect(line["args"]).toMatchObject({ text });
      expect(lines).toHaveLength(51);
      for (const line of lines.slice(5)) {
        expect(line["args"]).toMatchObject({ truncated: true, digest: "hmac-sha256:of-it" });
        expect(JSON.stringify(line).length).toBeLessThan(2048);
      }
    },
  );

  verifies("ledger.refusals", "what was only counted is written before the end", async () => {
    const { ledger, folder } = await opened();
    for (let i = 1; i <= 7; i++) await ledger.refusal(refusalOf(`r${i}`));
    await ledger.close();
    expect(countsOf(folder)).toEqual([1, 1, 1, 1, 1, 2]);
  });

  verifies(
    "ledger.refusals",
    "differing in session, tool, error or arguments are not identical",
    async () => {
      const { ledger, folder } = await opened();
      for (let i = 0; i < 5; i++) await ledger.refusal(refusalOf(`a${i}`));
      await ledger.refusal(refusalOf("b", { session: "ses_2" }));
      await ledger.refusal(refusalOf("c", { tool: "item_get" }));
      await ledger.refusal(refusalOf("d", { error_code: "capacity" }));
      await ledger.refusal(refusalOf("e", { args: { id: 8 } }));
      expect(countsOf(folder)).toHaveLength(9);
      await ledger.refusal(refusalOf("f"));
      expect(countsOf(folder)).toHaveLength(9);
    },
  );
});
