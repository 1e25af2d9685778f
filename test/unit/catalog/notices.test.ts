// What answers say of their operation: told once, kept over a restart, bounded whatever an API
// sends, and in force until somebody accepts it.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished } from "vitest";
import { DriftWatch } from "../../../src/catalog/drift-watch.ts";
import { lockEntry, readLock, writeLock } from "../../../src/catalog/lock.ts";
import { Notices } from "../../../src/catalog/notices.ts";
import { Suspensions } from "../../../src/catalog/suspensions.ts";
import { loadCatalog } from "../../../src/catalog/load.ts";
import { catalogFolder, put, testFolder, toolFile, WRITES } from "../../setup/minimal.ts";
import { verifies } from "../../verifies.ts";

const HOUR_MS = 3_600_000;
const OPERATION = "GET /items/{id}";
const DRIFT = [{ path: "/rows/3/id", expected: "integer", got: "a string" }];

interface Noted {
  readonly tool: string;
  readonly state: string;
  readonly severity: string | null;
  readonly rules: readonly object[];
}

const INTEGER = { type: "integer" };
const OUTPUT = {
  rows: { from: "/rows", items: { id: { from: "/id", schema: INTEGER } } },
  shares: { from: "/shares", schema: { type: "object", additionalProperties: INTEGER } },
};
const ALL = { operation: "GET /items", input: {}, target: "none" };
const TOOLS = {
  "item_get.tool.yaml": toolFile("item_get", { output: OUTPUT }),
  "item_all.tool.yaml": toolFile("item_all", { ...ALL, output: OUTPUT }),
  "item_put.tool.yaml": toolFile("item_put", { ...WRITES, output: OUTPUT }),
};

/** Three tools, their notices, and the watch that judges them; `restart` opens all anew. */
async function noticing() {
  const folder = testFolder();
  const tools_dir = catalogFolder(TOOLS);
  const catalog = loadCatalog(tools_dir);
  let now_ms = Date.parse("2026-11-28T12:00:00Z");
  const clock = { now: () => now_ms, monotonic: () => now_ms };
  const records: Noted[] = [];
  const warned: object[] = [];
  const open = async () => {
    const suspensions = new Suspensions(join(folder, "suspensions.json"));
    const notices = new Notices(join(folder, "notices.json"), clock);
    const watch = new DriftWatch({
      clock,
      notices,
      suspensions,
      log: { warn: (detail) => void warned.push(detail), info: () => undefined },
      where: { tools_dir, connectors: { shop: { allow_private_addresses: false } } },
      catalog: () => catalog,
      every_s: new Map(),
      list: () => Promise.resolve({ why: "nobody is there", closed: false }),
      record: (detail) => {
        records.push(detail);
        return Promise.resolve();
      },
      toolsChanged: () => undefined,
    });
    onTestFinished(() => watch.close());
    await watch.check();
    return { suspensions, notices, watch };
  };
  let now = await open();
  const tool = (name: string) => {
    const found = catalog.tools.get(name);
    if (found === undefined) throw new Error(name);
    return found;
  };
  const hear = async (headers: Record<string, string>, name = "item_get"): Promise<void> => {
    now.notices.heard(name, OPERATION, headers);
    await now.watch.hear();
  };
  return {
    records,
    warned,
    hear,
    file: join(folder, "notices.json"),
    pass: (ms: number) => void (now_ms += ms),
    look: () => now.watch.check(),
    restart: async () => {
      now.watch.close();
      now = await open();
    },
    stopOf: (name: string) => now.suspensions.of(name, "shop")?.details?.["rules"],
    misfit: async (name: string, args: unknown, drift = DRIFT) => {
      now.notices.misfit(tool(name), args, drift);
      await now.watch.hear();
    },
    fit: async (name: string) => {
      now.notices.fit(tool(name));
      await now.watch.hear();
    },
    accept: async () => {
      acceptAll(tools_dir, records);
      await now.watch.hear();
    },
  };
}

function acceptAll(tools_dir: string, records: readonly Noted[]): void {
  const accepted = records.flatMap(({ rules }) =>
    rules.map((one) => (one as { fingerprint: string }).fingerprint),
  );
  const entries = [...loadCatalog(tools_dir).tools.values()].flatMap((one) =>
    one.kind === "declarative" ? [[one.name, { ...lockEntry(one, "ada", 0), accepted }]] : [],
  );
  writeLock(readLock(tools_dir), Object.fromEntries(entries));
}

const SUNSET = { sunset: "Thu, 31 Dec 2026 23:59:59 GMT" };
const brief = ({ tool, state, severity, rules }: Noted) => [
  tool,
  state,
  severity,
  ...rules.map((one) => (one as { rule: string }).rule),
];

describe("what an API announces in its answers", () => {
  verifies("contract.announced", "is on record once for each tool, however often", async () => {
    const { hear, records, warned, stopOf } = await noticing();
    for (let i = 0; i < 50; i++) await hear({ deprecation: "@1688169599", ...SUNSET });
    await hear({ deprecation: "@1688169599", ...SUNSET }, "item_get");
    expect(records.map(brief)).toEqual([
      ["item_get", "drift", "warn", "endpoint-deprecated", "endpoint-deprecated-with-sunset"],
    ]);
    expect(warned).toHaveLength(1);
    expect(stopOf("item_get")).toBeUndefined();
  });

  verifies("contract.announced", "stops the tool when its end has passed", async () => {
    const { hear, pass, records, stopOf, restart, accept, look } = await noticing();
    await hear(SUNSET);
    expect(stopOf("item_get")).toBeUndefined();
    pass(34 * 24 * HOUR_MS);
    await look();
    const stopped = [{ id: "api-sunset-passed", pointer: "/header/sunset" }];
    expect(stopOf("item_get")).toEqual(stopped);
    expect(stopOf("item_put")).toBeUndefined();
    expect(records.map(brief).at(-1)).toEqual(["item_get", "drift", "break", "api-sunset-passed"]);
    await restart();
    expect(stopOf("item_get")).toEqual(stopped);
    await accept();
    expect(stopOf("item_get")).toBeUndefined();
    await restart();
    expect(stopOf("item_get")).toBeUndefined();
  });

  verifies("contract.announced", "and takes back, is on record as taken back", async () => {
    const { hear, pass, records } = await noticing();
    await hear({ deprecation: "true" });
    pass(HOUR_MS);
    await hear({});
    expect(records.map(brief)).toEqual([
      ["item_get", "drift", "warn", "endpoint-deprecated"],
      ["item_get", "same", null],
    ]);
  });

  verifies("contract.announced", "in turns, or of an unknown kind, floods nothing", async () => {
    const { hear, pass, records, file } = await noticing();
    for (let i = 0; i < 500; i++) {
      await hear({ deprecation: `@${i}`, sunset: "x".repeat(10_000) });
      pass(HOUR_MS / 100);
    }
    expect(records.length).toBeLessThanOrEqual(6);
    expect(readFileSync(file).length).toBeLessThan(1000);
    expect(readFileSync(file, "utf8")).not.toContain("xxx");
  });

  verifies("contract.announced", "that cannot be understood any more stops the start", async () => {
    const file = put(testFolder(), "notices.json", "{");
    const clock = { now: () => 0, monotonic: () => 0 };
    expect(() => new Notices(file, clock)).toThrow();
    writeFileSync(file, '[{"tool":"a","operation":"GET /a","stopped":true}]');
    expect(() => new Notices(file, clock)).toThrow(/stopped/);
  });
});

describe("answers that do not fit", () => {
  verifies("contract.answers", "stop the tool when three calls in a row get one", async () => {
    const { misfit, stopOf, records, restart, accept } = await noticing();
    await misfit("item_get", { id: 1 });
    await misfit("item_get", { id: 2 });
    expect(stopOf("item_get")).toBeUndefined();
    await misfit("item_get", { id: 3 });
    const stopped = [{ id: "answer-not-as-agreed", pointer: "/answer/rows/*/id" }];
    expect(stopOf("item_get")).toEqual(stopped);
    expect(records.map(brief)).toEqual([["item_get", "drift", "break", "answer-not-as-agreed"]]);
    await restart();
    expect(stopOf("item_get")).toEqual(stopped);
    await accept();
    expect(stopOf("item_get")).toBeUndefined();
  });

  verifies("contract.answers", "are a record's matter while others fit, or it is one", async () => {
    const { misfit, fit, stopOf, records, pass } = await noticing();
    for (let i = 0; i < 9; i++) await misfit("item_get", { id: 7 });
    for (let i = 0; i < 9; i++) {
      await misfit("item_put", { id: i });
      await fit("item_put");
    }
    for (let i = 0; i < 9; i++) {
      await misfit("item_put", { id: i });
      pass(HOUR_MS);
    }
    expect([stopOf("item_get"), stopOf("item_put"), records]).toEqual([undefined, undefined, []]);
  });

  verifies("contract.answers", "are told without names that only answers have", async () => {
    const { misfit, stopOf, records, file } = await noticing();
    for (const id of [1, 2, 3]) {
      const path = `/shares/ada~1${id}@shop.test`;
      await misfit("item_get", { id }, [{ path, expected: "integer", got: "a string" }]);
    }
    const stopped = [{ id: "answer-not-as-agreed", pointer: "/answer/shares/*" }];
    expect(stopOf("item_get")).toEqual(stopped);
    expect(JSON.stringify(records) + readFileSync(file, "utf8")).not.toContain("ada");
  });

  verifies("contract.answers", "stop a tool without arguments, and a write", async () => {
    const { misfit, stopOf } = await noticing();
    for (let i = 0; i < 3; i++) await misfit("item_all", {});
    for (let i = 0; i < 3; i++) await misfit("item_put", { id: i });
    expect(stopOf("item_all")).toHaveLength(1);
    expect(stopOf("item_put")).toHaveLength(1);
  });
});
