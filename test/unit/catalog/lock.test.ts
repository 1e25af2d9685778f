// tools.lock.json: what counts as the same tool, what does not, and a lock that cannot be read.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { differences } from "../../../src/catalog/difference.ts";
import { loadCatalog } from "../../../src/catalog/load.ts";
import {
  approvedAs,
  changesSince,
  compareWithLock,
  LOCK_FILE,
  lockEntry,
  readLock,
  withLock,
  writeLock,
} from "../../../src/catalog/lock.ts";
import { sliceOf } from "../../../src/contract/slice.ts";
import { approveTools } from "../../setup/approved.ts";
import {
  catalogFolder,
  problemsOf,
  put,
  testFolder,
  toolFile,
  WRITES,
} from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";
import { verifies } from "../../verifies.ts";

const GET = toolFile("item_get");
const PUT = toolFile("item_put", WRITES);

async function approved(...tools: Json[]): Promise<string> {
  const files = tools.map((tool) => [`${String(tool["name"])}.tool.yaml`, tool] as const);
  const folder = catalogFolder(Object.fromEntries(files));
  await approveTools(folder);
  return folder;
}

const mismatchesIn = (folder: string): string[] =>
  compareWithLock(loadCatalog(folder), readLock(folder)).map(({ tool, kind }) => `${tool} ${kind}`);
const namesIn = (folder: string, for_author = false): string[] => [
  ...withLock(loadCatalog(folder), readLock(folder), for_author).tools.keys(),
];
const write = (folder: string, tool: Json): string =>
  put(folder, `shop/${String(tool["name"])}.tool.yaml`, JSON.stringify(tool));

describe("the same tool", () => {
  verifies("tools.lock", "what was approved is there", async () => {
    const folder = await approved(GET, PUT);
    expect([mismatchesIn(folder), namesIn(folder)]).toEqual([[], ["item_get", "item_put"]]);
  });

  verifies("tools.lock", "order, white space and comments are not the tool", async () => {
    const folder = await approved(GET);
    const turned = Object.fromEntries(Object.entries(GET).toReversed());
    const text = `# a comment\n${JSON.stringify(turned, null, 4)}\n`;
    put(folder, "shop/item_get.tool.yaml", text.replaceAll("\n", "\r\n"));
    put(folder, "shop/connector.yaml", "# a comment\ntitle: Shop\nconnector: 'shop'\n");
    expect(mismatchesIn(folder)).toEqual([]);
    // What a field is without being written is what it is when it is.
    write(folder, { ...GET, status: "approved", limits: { timeout_ms: 15_000 } });
    expect(mismatchesIn(folder)).toEqual([]);
  });

  verifies("tools.lock", "a lock that is read and written is the same, byte for byte", async () => {
    const folder = await approved(PUT, GET);
    const before = readFileSync(join(folder, LOCK_FILE), "utf8");
    const lock = readLock(folder);
    writeLock(lock, Object.fromEntries(Object.entries(lock.tools).toReversed()));
    expect(readFileSync(join(folder, LOCK_FILE), "utf8")).toBe(before);
    expect(Object.keys((JSON.parse(before) as { tools: Json }).tools)).toEqual([
      "item_get",
      "item_put",
    ]);
    expect(before.endsWith("}\n")).toBe(true);
  });
});

describe("another tool", () => {
  const schema = { type: "integer", minimum: 1 };
  const CHANGES: Readonly<Record<string, Json>> = {
    title: { title: "Other" },
    description: { description: "Other" },
    "a letter that nobody sees": { description: `${String(GET["description"])}\u200b` },
    operation: { operation: "GET /other/{id}" },
    "a parameter's description": { input: { id: { in: "path", schema, description: "Other" } } },
    "a bound": { input: { id: { in: "path", schema: { ...schema, minimum: 0 } } } },
    "how the ledger keeps it": { input: { id: { in: "path", schema, ledger: "drop" } } },
    "what it answers": { output: {} },
    effects: {
      effects: { readOnly: true, destructive: false, idempotent: false, openWorld: false },
    },
    target: { target: "none" },
    scopes: { scopes: ["items:read", "items:write"] },
    limits: { limits: { timeout_ms: 15_001 } },
  };
  for (const [what, change] of Object.entries(CHANGES)) {
    verifies("tools.lock", `with another ${what} it is not there`, async () => {
      const folder = await approved(GET, PUT);
      write(folder, { ...GET, ...change });
      expect([mismatchesIn(folder), namesIn(folder)]).toEqual([["item_get changed"], ["item_put"]]);
    });
  }

  verifies("tools.lock", "with another connector none of its tools is there", async () => {
    const folder = await approved(GET, PUT);
    put(folder, "shop/connector.yaml", "connector: shop\ntitle: Shop\nheaders: { X-A: b }\n");
    expect(namesIn(folder)).toEqual([]);
  });

  verifies("tools.lock", "a tool that is not in the lock is not there, and says why", async () => {
    const folder = await approved(GET);
    write(folder, PUT);
    const catalog = withLock(loadCatalog(folder), readLock(folder), false);
    expect([...catalog.tools.keys()]).toEqual(["item_get"]);
    expect(catalog.absent.get("item_put")).toMatch(/nobody has approved it/);
    expect([...catalog.unapproved.keys()]).toEqual(["item_put"]);
    expect([...catalog.toolsets]).toEqual(["shop"]);
  });

  verifies("tools.lock", "without a lock nothing is there, but for the author", async () => {
    const folder = catalogFolder({ "item_get.tool.yaml": GET });
    expect([namesIn(folder), namesIn(folder, true)]).toEqual([[], ["item_get"]]);
    expect(readLock(folder).exists).toBe(false);
  });

  verifies("tools.lock", "one tool's entry is no other's", async () => {
    const folder = await approved(GET);
    const lock = readLock(folder);
    write(folder, PUT);
    writeLock(lock, { ...lock.tools, item_put: lock.tools["item_get"] as never });
    expect(mismatchesIn(folder)).toEqual(["item_put changed"]);
  });

  verifies("tools.verify", "an entry whose tool is gone, or a draft again, is named", async () => {
    const folder = await approved(GET, PUT);
    write(folder, { ...PUT, status: "draft" });
    const other = testFolder();
    mkdirSync(join(other, "shop"));
    cpSync(join(folder, LOCK_FILE), join(other, LOCK_FILE));
    cpSync(join(folder, "shop", "connector.yaml"), join(other, "shop", "connector.yaml"));
    expect(mismatchesIn(folder)).toEqual(["item_put gone"]);
    expect(mismatchesIn(other)).toEqual(["item_get gone", "item_put gone"]);
  });
});

describe("the contract that a tool was made for", () => {
  const document = (changes: Json = {}): Json => ({
    openapi: "3.1.0",
    info: { title: "Shop", version: "1" },
    servers: [{ url: "https://shop.test" }],
    security: [{ person: ["items:read"] }],
    components: { securitySchemes: { person: { type: "http", scheme: "bearer" } } },
    paths: {
      "/items/{id}": {
        get: {
          parameters: [{ name: "id", in: "path", required: true, schema: { type: "integer" } }],
          responses: { 200: { description: "It", content: answer("integer") } },
          ...changes,
        },
      },
    },
  });
  const answer = (type: string): Json => ({
    "application/json": { schema: { type: "object", properties: { id: { type } } } },
  });
  const pin = (folder: string, text: Json, from = "https://shop.test/openapi.json"): string => {
    const source = { from, sha256: "0", retrieved: "2026-11-28" };
    const slice = sliceOf(text, "GET /items/{id}", { source });
    return put(folder, "shop/contract/item_get.json", JSON.stringify(slice));
  };
  async function pinned(): Promise<string> {
    const folder = await approved(GET, PUT);
    pin(folder, document());
    await approveTools(folder);
    return folder;
  }
  const whyIn = (folder: string): string[] =>
    compareWithLock(loadCatalog(folder), readLock(folder)).map(
      ({ tool, kind, why }) => `${tool} ${kind} ${why.split(": ")[1] ?? ""}`,
    );

  verifies("tools.lock", "is approved with it, by its parts", async () => {
    const folder = await pinned();
    expect(whyIn(folder)).toEqual([]);
    const hash = expect.stringMatching(/^sha256:/);
    expect(readLock(folder).tools["item_get"]?.contract).toEqual({
      request: hash,
      response: hash,
      server: hash,
      security: hash,
      source: hash,
    });
    expect(readLock(folder).tools["item_put"]).not.toHaveProperty("contract");
  });

  const PARTS: Readonly<Record<string, Json>> = {
    request: { parameters: [{ name: "id", in: "path", required: true, schema: {} }] },
    response: { responses: { 200: { description: "It", content: answer("string") } } },
    server: { servers: [{ url: "https://elsewhere.test" }] },
    security: { security: [{ person: ["items:all"] }] },
  };
  for (const [part, change] of Object.entries(PARTS)) {
    verifies("tools.lock", `with another ${part} the tool is not there`, async () => {
      const folder = await pinned();
      pin(folder, document(change));
      expect(whyIn(folder)).toEqual([`item_get contract ${part}`]);
      expect(namesIn(folder)).toEqual(["item_put"]);
    });
  }

  verifies(
    "tools.lock",
    "an address from which its next state comes is approved, too",
    async () => {
      const folder = await pinned();
      pin(folder, document(), "https://evil.io/openapi.json");
      expect(whyIn(folder)).toEqual(["item_get contract source"]);
    },
  );

  verifies("tools.lock", "taken away or put there, it is another tool", async () => {
    const folder = await pinned();
    rmSync(join(folder, "shop", "contract", "item_get.json"));
    expect(whyIn(folder)).toEqual([
      "item_get contract request, response, security, server, source",
    ]);
    const other = await approved(GET);
    pin(other, document());
    expect(mismatchesIn(other)).toEqual(["item_get contract"]);
    const tool = loadCatalog(other).tools.get("item_get");
    const entry = readLock(other).tools["item_get"];
    if (tool === undefined || entry === undefined) throw new Error("no tool");
    expect(changesSince(entry, tool).map(({ pointer }) => pointer)).toContain("/contract/request");
  });

  verifies("tools.lock", "what only reads otherwise is no change of it", async () => {
    const folder = await pinned();
    pin(folder, document({ description: "Reads", operationId: "read", tags: ["a"] }));
    expect(whyIn(folder)).toEqual([]);
  });

  verifies("tools.lock", "a file that is none stops the load, and says which", async () => {
    const folder = await pinned();
    for (const text of ["{", "[]", '{"format":2}', '{"format":1,"request":{"$defs":{}}}']) {
      const file = put(folder, "shop/contract/item_get.json", text);
      const problems = problemsOf(() => loadCatalog(folder));
      expect(problems.length).toBeGreaterThan(0);
      expect(problems.every((one) => one.file === file && one.mend !== "")).toBe(true);
    }
  });
});

describe("a lock that cannot be read", () => {
  const DAMAGED: Readonly<Record<string, readonly [text: string, pointer: string, says: RegExp]>> =
    {
      "is no JSON": ["{", "", /end|expected/i],
      "has a merge conflict": ["<<<<<<< ours\n{}", "", /JSON|expected|unexpected/i],
      "names a tool twice": [
        '{"lockfileVersion":1,"tools":{"a":{},"a":{}}}',
        "",
        /twice|duplicate/i,
      ],
      "is of another version": ['{"lockfileVersion":2,"tools":{}}', "/lockfileVersion", /1/],
      "has an unknown field": ['{"lockfileVersion":1,"tools":{},"all":true}', "", /all/],
      "has a hash that is none": [
        '{"lockfileVersion":1,"tools":{"a":{"definition":"any","approved":{"by":"x",' +
          '"at":"2026-01-01T00:00:00Z"},"as":{}}}}',
        "/tools/a/definition",
        /sha256/,
      ],
    };
  for (const [what, [text, pointer, says]] of Object.entries(DAMAGED)) {
    verifies("tools.lock", `a lock that ${what} stops the start, and says where`, async () => {
      const folder = await approved(GET);
      writeFileSync(join(folder, LOCK_FILE), text);
      const [found, ...more] = problemsOf(() => readLock(folder));
      expect(more).toEqual([]);
      expect(found).toMatchObject({ file: join(folder, LOCK_FILE), pointer });
      expect(found?.message).toMatch(says);
      expect(found?.mend).toMatch(/tools approve/);
    });
  }
});

describe("what is different", () => {
  verifies("tools.approve", "each change is named by its place, before and after", async () => {
    const folder = await approved(GET);
    const other = { ...GET, description: "Buys an item", scopes: ["items:read", "pay"] };
    write(folder, other);
    const tool = loadCatalog(folder).tools.get("item_get");
    const before = approvedAs(readLock(folder), "item_get")?.as;
    expect(differences(before, tool?.meaning)).toEqual([
      { pointer: "/file/description", before: GET["description"], after: "Buys an item" },
      { pointer: "/file/scopes", before: ["items:read"], after: ["items:read", "pay"] },
    ]);
    expect(differences({ a: 1 }, { b: { c: 2 } })).toEqual([
      { pointer: "/a", before: 1, after: undefined },
      { pointer: "/b", before: undefined, after: { c: 2 } },
    ]);
  });

  verifies(
    "tools.approve",
    "a copy that is not what was approved is not compared with",
    async () => {
      const folder = await approved(GET);
      const [tool] = loadCatalog(folder).tools.values();
      if (tool === undefined) throw new Error("no tool");
      const entry = lockEntry(tool, "test", 0);
      const lock = readLock(folder);
      writeLock(lock, { item_get: { ...entry, as: { ...entry.as, file: {} } } });
      expect(approvedAs(lock, "item_get")).toBeDefined();
      expect(approvedAs(readLock(folder), "item_get")).toBeUndefined();
      // It is the hash by which a tool is there.
      expect(namesIn(folder)).toEqual(["item_get"]);
    },
  );
});
