// Reading on in a log that grows while it is read.
import { expect } from "vitest";
import { LogReader } from "../../../src/ledger/log-reader.ts";
import type { Placed } from "../../../src/ledger/log-reader.ts";
import { testFolder } from "../../setup/minimal.ts";
import { verifies } from "../../verifies.ts";
import { call, opened } from "./entries.ts";

verifies(
  "ledger.record",
  "a line is found in the segment it was read from, also in one that is newer than the reader",
  async () => {
    const folder = testFolder();
    const { ledger } = await opened(folder, { segment_bytes_max: 1 });
    const reader = new LogReader(folder);
    const found: Placed[] = [];
    for (const [i, id] of ["a", "b", "c"].entries()) {
      await call(ledger, id);
      for (const placed of reader.read(i * 2, i * 2 + 2)) found.push(...placed);
    }
    expect(found.map(({ line }) => line.seq)).toEqual([1, 2, 3, 4, 5, 6]);
    for (const { line, at, size } of found) {
      expect(reader.lineAt(line.seq, at, size)).toEqual(line);
    }
  },
);
