// What an MCP server's tools are held against, what stops them, and what brings them back.
import { join } from "node:path";
import { expect } from "vitest";
import type { ToolDefinition } from "../../../../src/catalog/definition.ts";
import { DriftWatch } from "../../../../src/catalog/drift-watch.ts";
import type { DriftWatchOptions } from "../../../../src/catalog/drift-watch.ts";
import { loadCatalog } from "../../../../src/catalog/load.ts";
import { compareWithLock, lockEntry, readLock, writeLock } from "../../../../src/catalog/lock.ts";
import { Notices } from "../../../../src/catalog/notices.ts";
import { Suspensions } from "../../../../src/catalog/suspensions.ts";
import { judgeListed, upstreamsOf } from "../../../../src/catalog/upstream/drift.ts";
import { judgeUpstream } from "../../../../src/contract/upstream.ts";
import type { UpstreamDefinition } from "../../../../src/contract/upstream.ts";
import { compilePolicy } from "../../../../src/policy/policy.ts";
import { catalogFolder, configFrom, minimalConfig } from "../../../setup/minimal.ts";
import { problemsOf, put, testFolder } from "../../../setup/minimal.ts";
import type { Json } from "../../../setup/minimal.ts";
import { verifies } from "../../../verifies.ts";

const URL_OF = "https://mcp.test/mcp";
const defined = (name: string, more: object = {}): UpstreamDefinition => ({
  name,
  description: `${name} of the server`,
  inputSchema: { type: "object" },
  ...more,
});
const LISTED = [defined("a"), defined("b")];

function file(name: string, upstream: string): Json {
  return {
    name,
    title: name,
    description: name,
    upstream,
    input: {},
    output: { text: { from: "/text", schema: { type: "string" } } },
    effects: { readOnly: true, destructive: false, idempotent: true, openWorld: true },
    target: "none",
  };
}

const pin = (definition: object): Json => ({
  format: 1,
  kind: "mcp",
  retrieved: "2026-11-28T00:00:00Z",
  endpoint: URL_OF,
  definition,
});

function folderOf(first = LISTED[0] ?? defined("a")): string {
  return catalogFolder({
    "shop_a.tool.yaml": file("shop_a", "a"),
    "shop_b.tool.yaml": file("shop_b", "b"),
    "contract/shop_a.json": pin(first),
    "contract/shop_b.json": pin(defined("b")),
  });
}

function approve(folder: string): void {
  const tools = [...loadCatalog(folder).tools.values()];
  const entry = (tool: ToolDefinition) => [tool.name, lockEntry(tool, "eve", 0)] as const;
  writeLock(readLock(folder), Object.fromEntries(tools.map(entry)));
}

const rulesOf = (listed: readonly UpstreamDefinition[], endpoint = URL_OF): string[][] => {
  const folder = folderOf();
  const watched = upstreamsOf(loadCatalog(folder), readLock(folder));
  const verdicts = judgeListed(watched, endpoint, listed);
  return verdicts.map(({ findings }) =>
    findings.map(({ rule, severity }) => `${severity} ${rule}`),
  );
};

verifies(
  "upstream.drift",
  "each part of a definition, and the address, is what was approved",
  () => {
    expect(rulesOf(LISTED)).toEqual([[], []]);
    expect(rulesOf([...LISTED, defined("new")])).toEqual([[], []]);
    const parts = {
      title: "T",
      description: "another",
      inputSchema: { type: "object", properties: {} },
      outputSchema: { type: "object" },
      annotations: { readOnlyHint: true },
      execution: { taskSupport: "required" },
    };
    for (const [part, value] of Object.entries(parts)) {
      const word = part.replace("Schema", "");
      const changed = rulesOf([defined("a", { [part]: value }), defined("b")]);
      expect(changed).toEqual([[`break mcp-tool-${word}-changed`], []]);
    }
    expect(rulesOf([defined("b")])).toEqual([["break mcp-tool-removed"], []]);
    const elsewhere = ["critical mcp-endpoint-changed"];
    expect(rulesOf(LISTED, "https://other.test/mcp")).toEqual([elsewhere, elsewhere]);
  },
);

verifies(["upstream.drift", "servers.digest"], "who accepts one program accepts no other", () => {
  const pinned = {
    endpoint: { command: ["node", "a b"], files: "sha256:1" },
    definition: defined("a"),
  };
  const changes = [
    { command: ["node", "a b"], files: "sha256:2" },
    { command: ["node", "a b"], files: "sha256:3" },
    { command: ["node", "a", "b"], files: "sha256:1" },
    { command: ["node", "a b"] },
  ].map((endpoint) => judgeUpstream(pinned, endpoint, defined("a")));
  expect(changes.map((found) => found.map(({ rule }) => rule))).toEqual(
    changes.map(() => ["mcp-endpoint-changed"]),
  );
  expect(new Set(changes.map(([found]) => found?.fingerprint)).size).toBe(changes.length);
  expect(changes[0]?.[0]?.text).toMatch(/sha256:1 .* → sha256:2 /);
  expect(judgeUpstream(pinned, pinned.endpoint, defined("a"))).toEqual([]);
});

verifies("upstream.drift", "the order in which a server writes its schema is no change", () => {
  const folder = folderOf(defined("a", { inputSchema: { type: "object", title: "x" } }));
  const watched = upstreamsOf(loadCatalog(folder), readLock(folder));
  const other = defined("a", { inputSchema: { title: "x", type: "object" } });
  const [verdict] = judgeListed(watched, URL_OF, [other, defined("b")]);
  expect(verdict?.state).toBe("same");
});

verifies(
  "upstream.drift",
  "another pin is not what was approved; a missing one stops the start",
  () => {
    const folder = folderOf();
    approve(folder);
    expect(compareWithLock(loadCatalog(folder), readLock(folder))).toEqual([]);
    put(folder, "shop/contract/shop_a.json", JSON.stringify(pin(defined("a", { title: "T" }))));
    expect(compareWithLock(loadCatalog(folder), readLock(folder))).toMatchObject([
      { tool: "shop_a", kind: "contract", why: expect.stringContaining("definition") },
    ]);
    const bare = catalogFolder({ "shop_a.tool.yaml": file("shop_a", "a") });
    expect(problemsOf(() => loadCatalog(bare))).toMatchObject([
      { file: expect.stringMatching(/contract\/shop_a\.json$/), message: "is not there" },
    ]);
    const wrong = catalogFolder({
      "shop_a.tool.yaml": file("shop_a", "a"),
      "contract/shop_a.json": pin(defined("b")),
    });
    expect(problemsOf(() => loadCatalog(wrong))).toMatchObject([{ pointer: "/upstream" }]);
  },
);

type Listing = Awaited<ReturnType<DriftWatchOptions["list"]>>;
const CLOSED: Listing = { why: "it wants a token", closed: true };

function watching(folder: string, stops: string, listing: () => Listing) {
  const clock = { now: () => 0, monotonic: () => 0 };
  const suspensions = new Suspensions(stops);
  const records: { tool: string; state: string }[] = [];
  let looks = 0;
  const watch = new DriftWatch({
    clock,
    suspensions,
    notices: new Notices(join(folder, "notices.json"), clock),
    log: { warn: () => undefined, info: () => undefined },
    where: { tools_dir: folder, connectors: { shop: { allow_private_addresses: false } } },
    catalog: () => loadCatalog(folder),
    every_s: new Map([["shop", 3600]]),
    list: () => Promise.resolve((looks++, listing())),
    record: (detail) => Promise.resolve(void records.push(detail)),
    toolsChanged: () => undefined,
  });
  const isStopped = (tool: string): boolean => suspensions.of(tool, "shop") !== undefined;
  return { watch, records, isStopped, looks: () => looks };
}

verifies(
  "upstream.drift",
  "what one session has seen stops the tool for all, also after a restart",
  async () => {
    const folder = folderOf();
    const stops = join(testFolder(), "suspensions.json");
    const first = watching(folder, stops, () => CLOSED);
    await first.watch.check();
    expect([first.isStopped("shop_a"), first.isStopped("shop_b")]).toEqual([false, false]);
    const changed = defined("a", { description: "Now it gives orders" });
    const seen = await first.watch.take("shop", URL_OF, [changed, defined("b")]);
    expect([...seen].map(([tool, { rules }]) => [tool, rules])).toEqual([
      ["shop_a", ["mcp-tool-description-changed"]],
      ["shop_b", []],
    ]);
    expect([first.isStopped("shop_a"), first.isStopped("shop_b")]).toEqual([true, false]);
    expect(first.records).toContainEqual(
      expect.objectContaining({ tool: "shop_a", state: "drift", severity: "break" }),
    );
    first.watch.close();
    const second = watching(folder, stops, () => CLOSED);
    await second.watch.check();
    expect([second.isStopped("shop_a"), second.isStopped("shop_b")]).toEqual([true, false]);
    // Approved as it was seen: nobody has to look again. As something else, it stays.
    const pinned = join("shop", "contract", "shop_a.json");
    put(folder, pinned, JSON.stringify(pin(defined("a", { description: "Something else" }))));
    await second.watch.check();
    expect(second.isStopped("shop_a")).toBe(true);
    put(folder, pinned, JSON.stringify(pin(changed)));
    await second.watch.check();
    expect(second.isStopped("shop_a")).toBe(false);
    second.watch.close();
  },
);

verifies(
  "upstream.drift",
  "a tool less in one user's list stops nobody else's; in everybody's, it does",
  async () => {
    const folder = folderOf();
    let listing: Listing = { endpoint: URL_OF, tools: LISTED };
    const { watch, isStopped, looks } = watching(
      folder,
      join(testFolder(), "s.json"),
      () => listing,
    );
    await watch.check();
    await watch.take("shop", URL_OF, [defined("b")]);
    await watch.check();
    // It made the watch look itself, as nobody in particular.
    expect([isStopped("shop_a"), looks()]).toEqual([false, 4]);
    listing = { endpoint: URL_OF, tools: [defined("b")] };
    await watch.check();
    expect([isStopped("shop_a"), isStopped("shop_b")]).toEqual([true, false]);
    listing = { endpoint: URL_OF, tools: LISTED };
    await watch.check();
    expect(isStopped("shop_a")).toBe(false);
    watch.close();
  },
);

verifies(
  "upstream.hostile",
  "a server that says it a thousand times is looked at once",
  async () => {
    const listing = { endpoint: URL_OF, tools: LISTED };
    const { watch, looks } = watching(folderOf(), join(testFolder(), "s.json"), () => listing);
    await watch.check();
    const before = looks();
    for (let i = 0; i < 1000; i++) watch.lookAgain("shop");
    await watch.check();
    expect(looks() - before).toBe(2);
    watch.lookAgain("shop");
    await watch.check();
    expect(looks() - before).toBe(4);
    watch.close();
  },
);

const DELEGATION = { kind: "exchange", resource: URL_OF };

verifies(
  "config.mistake-located",
  "a server is one address, with a delegation, and its own tools",
  () => {
    const agents = { desk: { title: "d", purpose: "p", tools: { shop_a: {}, shop_b: {} } } };
    const roles = { clerk: { desk: "all" } };
    const configured = (shop: Json) =>
      configFrom(minimalConfig({ agents, roles, connectors: { shop } }));
    const pointers = (shop: Json): string[] =>
      problemsOf(() => configured(shop)).map(({ pointer, message }) => `${pointer} ${message}`);
    const mcp = { url: URL_OF };
    expect(pointers({ mcp, delegation: DELEGATION })).toEqual([]);
    expect(pointers({ mcp })).toEqual(["/connectors/shop has no delegation"]);
    expect(pointers({ mcp, origin: "https://x.test", delegation: DELEGATION })).toMatchObject([
      expect.stringMatching(/neither an API nor an MCP server, or both/),
    ]);
    expect(pointers({ mcp: { url: "http://x.test/" }, delegation: DELEGATION })).toMatchObject([
      expect.stringMatching(/^\/connectors\/shop\/mcp\/url .* is not https$/),
    ]);
    const catalog = loadCatalog(folderOf());
    const remote = configured({ mcp, delegation: DELEGATION });
    expect(problemsOf(() => compilePolicy(remote, catalog))).toEqual([]);
    const api = configured({ origin: "https://x.test", delegation: DELEGATION });
    expect(problemsOf(() => compilePolicy(api, catalog))).toMatchObject([
      { pointer: "/connectors/shop", message: "shop_a is a tool of an MCP server" },
      { pointer: "/connectors/shop", message: "shop_b is a tool of an MCP server" },
    ]);
  },
);
