// What a start does with files that a crash, or a hand, has left in the data folder.
import {
  appendFileSync,
  copyFileSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { afterAll, beforeAll, expect } from "vitest";
import { verifyLedger } from "../../src/ledger/verify.ts";
import { doorless } from "../interop/command.ts";
import { writeCoreConfig } from "../setup/core-config.ts";
import { freePort } from "../../src/cli/demo-world.ts";
import { verifies } from "../verifies.ts";
import { openCrashHouse } from "./house.ts";
import type { CrashHouse } from "./house.ts";

const TORN = '{"v":1,"seq":9999';

let house: CrashHouse;
let segment: string;
/** As `start` takes it: it does not name the provider as the demo's. */
let plain: string;

beforeAll(async () => {
  house = await openCrashHouse();
  const core = await house.start();
  for (const id of [42, 43, 44]) await house.call("omar", "sales", "crm_get_deal", { id });
  await core.stop();
  segment = house.evidence.segments()[0] ?? "";
  const { data, world } = house;
  const port = await freePort();
  plain = writeCoreConfig({ data, name: "plain.json", port, world, demo: false });
});
afterAll(() => house.close());

/** Runs `work` on a damaged log, and puts the sound one back. */
async function withLog(damage: () => void, work: () => Promise<void>): Promise<void> {
  const kept = `${segment}.kept`;
  copyFileSync(segment, kept);
  try {
    damage();
    await work();
  } finally {
    copyFileSync(kept, segment);
  }
}

verifies(
  ["ledger.kill", "ledger.chain"],
  "a torn last line is cut off at the start, and the log, the ledger and verify say so",
  async () => {
    const whole = house.evidence.log();
    // What a batch leaves that no sync finished: the beginning of a line.
    const left = TORN.length;
    appendFileSync(segment, TORN);
    const torn = verifyLedger(house.evidence.ledger);
    expect(torn.intact).toBe(false);
    expect(torn.problems[0]?.message).toContain(`ends in ${left} bytes that are no line`);
    const core = await house.start();
    await core.stop();
    expect(core.stderr()).toContain("the last run ended abruptly");
    expect(core.stderr()).toContain(`"cut_bytes":${left}`);
    const after = house.evidence.log();
    expect(after.breaks).toEqual([]);
    const recovered = after.lines[whole.lines.length];
    expect(recovered).toMatchObject({ event: "recovered", detail: { cut_bytes: left } });
    expect(verifyLedger(house.evidence.ledger).intact).toBe(true);
  },
);

verifies("ledger.chain", "a durable record that is gone stops the start", async () => {
  const cut = (): void => truncateSync(segment, statSync(segment).size - 17);
  await withLog(cut, async () => {
    const { code, stderr } = await doorless(["start", "--config", plain]);
    expect(code).toBe(2);
    expect(stderr).toContain("were durable");
  });
});

verifies(
  "ledger.chain",
  "a changed record in the middle stops the start, exit code 2",
  async () => {
    const lines = readFileSync(segment, "utf8").split("\n");
    const his = lines.findIndex((line) => line.includes('"subject":"omar"'));
    const after = his + 2;
    const change = (): void => {
      const changed = lines[his]?.replace('"subject":"omar"', '"subject":"mia"') ?? "";
      writeFileSync(segment, lines.with(his, changed).join("\n"));
    };
    await withLog(change, async () => {
      const { code, stderr } = await doorless(["start", "--config", plain]);
      expect(code).toBe(2);
      expect(stderr).toContain(`${segment}:${after} seq ${after} does not continue the hash chain`);
      expect(stderr).toContain("restore it from a copy");
      expect(stderr).not.toContain("    at ");
    });
  },
);

verifies("ledger.chain", "bytes that are no record, in the middle, stop the start", async () => {
  const overwrite = (): void => {
    const bytes = readFileSync(segment);
    bytes.fill(0, 200, 260);
    writeFileSync(segment, bytes);
  };
  await withLog(overwrite, async () => {
    const { code, stderr } = await doorless(["start", "--config", plain]);
    expect(code).toBe(2);
    // A hole is where a torn end would be, were there not records that are known to be durable.
    expect(stderr).toContain("were durable");
  });
});

verifies("ledger.kill", "a second core on one data folder is refused, exit code 2", async () => {
  const first = await house.start();
  const { code, stderr } = await doorless(["start", "--config", plain]);
  expect(code).toBe(2);
  expect(stderr).toContain("another doorless owns");
  expect(stderr).toContain(house.data);
  // The first is not disturbed by the attempt.
  const { error } = await house.call("omar", "sales", "crm_get_deal", { id: 42 });
  expect(error).toBeUndefined();
  // A dead owner leaves no lock behind.
  await first.kill();
  await (await house.start()).stop();
  expect(house.evidence.log().breaks).toEqual([]);
});
