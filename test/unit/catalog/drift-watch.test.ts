// The scheduled check: whatever leaves, comes back, fails or takes turns, what broke is stopped.
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import type { Catalog } from "../../../src/catalog/definition.ts";
import { contractsOf, judgeContracts } from "../../../src/catalog/drift.ts";
import { judgeInThread } from "../../../src/catalog/drift-thread.ts";
import { DriftWatch } from "../../../src/catalog/drift-watch.ts";
import type { DriftWatchOptions } from "../../../src/catalog/drift-watch.ts";
import { loadCatalog } from "../../../src/catalog/load.ts";
import { readLock } from "../../../src/catalog/lock.ts";
import { Notices } from "../../../src/catalog/notices.ts";
import { Suspensions } from "../../../src/catalog/suspensions.ts";
import { toolsOnRecord } from "../../../src/console/reload.ts";
import { sliceOf } from "../../../src/contract/slice.ts";
import { catalogFolder, put, testFolder, toolFile } from "../../setup/minimal.ts";
import { verifies } from "../../verifies.ts";

const document = (id: string) => ({
  openapi: "3.1.0",
  paths: Object.fromEntries(
    ["items", "boxes"].map((path) => [
      `/${path}/{id}`,
      {
        get: {
          parameters: [{ name: "id", in: "path", required: true, schema: { type: "integer" } }],
          responses: { 200: { content: { "application/json": { schema: answer(id) } } } },
        },
      },
    ]),
  ),
});
const answer = (id: string) => ({
  type: "object",
  required: [id],
  properties: { [id]: { type: "integer" } },
});
const GOOD = JSON.stringify(document("id"));
const BROKEN = JSON.stringify(document("number"));
const TOOLS = { item_get: "GET /items/{id}", box_get: "GET /boxes/{id}" };

/** Two tools of one document, watched; `change` is what another catalogue has of them. */
function watched(from?: string, more: Partial<DriftWatchOptions> = {}) {
  const folder = testFolder();
  const file = put(folder, "api.json", GOOD);
  const source = { from: from ?? file, sha256: "0", retrieved: "2026-11-28" };
  const files = Object.entries(TOOLS).flatMap(([name, operation]) => {
    const slice = sliceOf(document("id"), operation, { source });
    return [
      [`${name}.tool.yaml`, toolFile(name, { operation })],
      [`contract/${name}.json`, JSON.stringify(slice)],
    ] as const;
  });
  const tools_dir = catalogFolder(Object.fromEntries(files));
  const whole = loadCatalog(tools_dir);
  const world = { catalog: whole, records: [] as { tool: string; state: string }[] };
  const stops = join(folder, "suspensions.json");
  const suspensions = more.suspensions ?? new Suspensions(stops);
  const connectors = { shop: { allow_private_addresses: false } };
  const where = { tools_dir, connectors };
  const clock = { now: () => Date.parse("2026-11-28T12:00:00Z"), monotonic: () => 0 };
  const watch = new DriftWatch({
    clock,
    notices: new Notices(join(folder, "notices.json"), clock),
    log: { warn: () => undefined, info: () => undefined },
    where,
    catalog: () => world.catalog,
    every_s: new Map([["shop", 3600]]),
    list: () => Promise.resolve({ why: "nobody is there", closed: false }),
    record: (detail) => {
      world.records.push(detail);
      return Promise.resolve();
    },
    toolsChanged: () => undefined,
    ...more,
    suspensions,
  });
  onTestFinished(() => watch.close());
  const without = (change: Partial<Catalog>): Catalog => ({
    ...whole,
    tools: new Map(),
    ...change,
  });
  const isStopped = (tool = "item_get"): boolean => suspensions.of(tool, "shop") !== undefined;
  return { world, whole, without, watch, file, stops, isStopped, where };
}

verifies(
  "contract.live",
  "a stopped tool that is away for a while comes back stopped",
  async () => {
    const { world, whole, without, watch, file, isStopped } = watched();
    writeFileSync(file, BROKEN);
    await watch.check();
    expect(isStopped()).toBe(true);
    const absent = new Map([["item_get", "nobody has approved it"]]);
    for (const away of [{ absent }, { drafts: ["item_get"] }]) {
      world.catalog = without(away);
      await watch.check();
      world.catalog = whole;
      expect(isStopped()).toBe(true);
    }
    // Whose file is gone, nothing is known of; with its file comes its verdict.
    world.catalog = without({});
    await watch.check();
    expect(isStopped()).toBe(false);
    world.catalog = whole;
    await watch.check();
    expect(isStopped()).toBe(true);
  },
);

verifies(
  "contract.live",
  "of a document that takes turns the next look sees the break",
  async () => {
    const turns = [BROKEN, GOOD];
    const server = createServer((_, response) => response.end(turns.shift() ?? BROKEN));
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const { watch, isStopped } = watched(`http://127.0.0.1:${port}/api.json`);
    await watch.check();
    expect(isStopped()).toBe(true);
  },
);

verifies("contract.live", "where neither log nor disk takes anything, it is stopped", async () => {
  const unheard: unknown[] = [];
  const hear = (error: unknown): void => void unheard.push(error);
  process.on("unhandledRejection", hear);
  onTestFinished(() => void process.off("unhandledRejection", hear));
  const folder = join(testFolder(), "full");
  const kept = join(folder, "suspensions.json");
  const record = () => Promise.reject(new Error("the disk is full"));
  const suspensions = new Suspensions(kept);
  const { watch, file, isStopped } = watched(undefined, { record, suspensions });
  writeFileSync(file, BROKEN);
  await watch.check();
  await setImmediate();
  expect(unheard).toEqual([]);
  expect(isStopped()).toBe(true);
  mkdirSync(folder);
  await watch.check();
  expect(new Suspensions(kept).of("item_get", "shop")?.code).toBe("contract_drift");
});

verifies("contract.live", "a record that was refused is made at the next look", async () => {
  let refuses = true;
  const made: string[] = [];
  const record = ({ tool }: { readonly tool: string }): Promise<void> => {
    if (refuses && tool === "box_get") return Promise.reject(new Error("full"));
    made.push(tool);
    return Promise.resolve();
  };
  const { watch, file } = watched(undefined, { record });
  writeFileSync(file, BROKEN);
  await watch.check();
  expect(made).toEqual(["item_get"]);
  refuses = false;
  await watch.check();
  await watch.check();
  expect(made).toEqual(["item_get", "box_get"]);
});

verifies(
  "contract.live",
  "what was stopped before a restart and is the same now is news",
  async () => {
    const kept = put(
      testFolder(),
      "suspensions.json",
      JSON.stringify({ item_get: { connector: "shop", severity: "break", rules: [] } }),
    );
    const { world, watch, isStopped } = watched(undefined, { suspensions: new Suspensions(kept) });
    await watch.check();
    expect(isStopped()).toBe(false);
    expect(world.records).toMatchObject([{ tool: "item_get", state: "same" }]);
  },
);

test("a thread that does not end is ended, and nothing is known of its contracts", async () => {
  const { whole, where } = watched();
  const contracts = contractsOf(whole, readLock(where.tools_dir), where, 0);
  const never = new AbortController().signal;
  const verdicts = await judgeInThread(contracts, 0, never, AbortSignal.abort());
  expect(verdicts).toMatchObject([
    { state: "unverified", why: "the check failed: it did not end in five minutes" },
    { state: "unverified" },
  ]);
});

/** What is found of `item_get` where the document says this. */
async function judged(text: string, accepted: readonly string[] = []) {
  const { whole, file, where } = watched();
  writeFileSync(file, text);
  const [, contract] = contractsOf(whole, readLock(where.tools_dir), where, 0).toSorted((a, b) =>
    a.tool < b.tool ? -1 : 1,
  );
  if (contract === undefined) throw new Error("no contract");
  const [verdict] = await judgeContracts([{ ...contract, accepted }], 0);
  return verdict;
}

verifies("contract.accept", "nobody can accept changes that are too many to be shown", async () => {
  const many = document("id");
  const parameters = many.paths["/items/{id}"]?.get.parameters as object[];
  for (let i = 0; i < 600; i++) {
    parameters.push({ name: `p${i}`, in: "query", schema: { type: "string" } });
  }
  const first = await judged(JSON.stringify(many));
  const accepted = first?.findings.map(({ fingerprint }) => fingerprint) ?? [];
  expect(accepted.length).toBeGreaterThan(500);
  expect(await judged(JSON.stringify(many), accepted)).toMatchObject({
    state: "drift",
    severity: "break",
  });
});

verifies(
  "contract.live",
  "a second file that cannot be fetched is no change of the API",
  async () => {
    const schema = { $ref: "./gone.json#/Item" };
    const parts = GOOD.replaceAll(JSON.stringify(answer("id")), JSON.stringify(schema));
    expect(parts).not.toBe(GOOD);
    expect(await judged(parts)).toMatchObject({
      state: "unverified",
      why: expect.stringContaining("gone.json"),
    });
  },
);

test("a catalogue with another contract is another on record", () => {
  const { whole } = watched();
  const tools = new Map(
    [...whole.tools].map(([name, tool]) => {
      if (tool.kind !== "declarative" || tool.pin === undefined) return [name, tool];
      const hashes = { ...tool.pin.hashes, server: "sha256:other" };
      return [name, { ...tool, pin: { ...tool.pin, hashes } }];
    }),
  );
  const [before, after] = [whole, { ...whole, tools }].map(toolsOnRecord);
  expect(after?.tools).toEqual(before?.tools);
  expect(after).not.toEqual(before);
  expect(before).toMatchObject({ contracts: { item_get: expect.stringMatching(/^sha256:/) } });
});
