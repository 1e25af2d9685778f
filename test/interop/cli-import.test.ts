// `tools import openapi` as an operator types it.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { loadCatalog } from "../../src/catalog/load.ts";
import { put, testFolder } from "../setup/minimal.ts";
import type { Json } from "../setup/minimal.ts";
import { verifies } from "../verifies.ts";
import { doorless, jsonLines } from "./command.ts";
import type { Ran } from "./command.ts";

const id = { name: "id", in: "path", required: true, schema: { type: "integer", minimum: 1 } };
const content = {
  "application/json": {
    schema: {
      type: "object",
      required: ["id"],
      properties: { id: { type: "integer" }, state: { type: "string", enum: ["open", "paid"] } },
    },
  },
};
const responses = { 200: { description: "ok", content } };
const note = { name: "note", in: "query", schema: { type: "string", maxLength: 50 } };
const DOCUMENT = {
  openapi: "3.1.0",
  info: { title: "Shop", version: "7" },
  servers: [{ url: "https://api.shop.test/v2/" }],
  components: { securitySchemes: { o: { type: "oauth2", flows: {} } } },
  security: [{ o: ["orders:read"] }],
  paths: {
    "/orders/{id}": {
      get: {
        operationId: "getOrder",
        tags: ["orders"],
        summary: "One order",
        parameters: [id],
        responses,
      },
      delete: {
        operationId: "voidOrder",
        tags: ["orders"],
        summary: "Void an order.",
        description: "Voids it for good. Nothing brings it back.",
        parameters: [id, note],
        responses: { 204: { description: "gone" } },
        security: [{ o: ["orders:write"] }],
      },
    },
    "/orders/{id}/scan": {
      post: {
        tags: ["files"],
        requestBody: { required: true, content: { "multipart/form-data": { schema: {} } } },
        responses,
      },
    },
  },
};

function laid(): { folder: string; run: (...args: string[]) => Promise<Ran> } {
  const folder = testFolder();
  const file = put(folder, "openapi.json", JSON.stringify(DOCUMENT));
  const run = (...args: string[]): Promise<Ran> =>
    doorless(["tools", "import", "openapi", file, "--connector", "shop", ...args], { cwd: folder });
  return { folder, run };
}

verifies(
  ["import.draft", "import.choice"],
  "named operations become drafts that load",
  async () => {
    const { folder, run } = laid();
    const ran = await run("--operation", "GET /orders/{id}", "--operation", "voidOrder");
    expect(ran.stderr).toContain('"origin": "https://api.shop.test"');
    expect(ran.code).toBe(0);
    expect(ran.stdout).toMatch(/shop_get_order +written +GET \/orders\/\{id\} +≈ \d+/);
    const own = join(folder, "tools/shop");
    const slice = readFileSync(join(own, "contract/shop_get_order.json"), "utf8");
    expect(JSON.parse(slice)).toMatchObject({
      format: 1,
      operation: "GET /orders/{id}",
      source: { from: "../openapi.json", version: "7" },
      server: ["https://api.shop.test/v2"],
    });
    expect(readdirSync(own).filter((name) => name.endsWith(".yaml"))).toEqual([
      "connector.yaml",
      "shop_get_order.tool.yaml",
      "shop_void_order.tool.yaml",
    ]);
    const text = readFileSync(join(own, "shop_void_order.tool.yaml"), "utf8");
    expect(text.split("\n").slice(1)).toEqual([
      "name: shop_void_order",
      "status: draft",
      "title: Void an order",
      "description: Voids it for good. Nothing brings it back.",
      "operation: DELETE /v2/orders/{id}",
      "input:",
      "  id: {in: path, schema: {type: integer, minimum: 1}}",
      "  note: {in: query, optional: true, schema: {type: string, maxLength: 50}}",
      "output: {}",
      "effects: {readOnly: false, destructive: true, idempotent: true, openWorld: true}",
      "target: order:{id}",
      "scopes: [orders:write]",
      "limits: {timeout_ms: 15000, response_bytes_max: 262144}",
      "",
    ]);
    const drafts = loadCatalog(join(folder, "tools"), { drafts: true }).tools;
    expect(drafts.get("shop_get_order")).toMatchObject({
      effects: { readOnly: true },
      title: "One order",
    });
    expect([...loadCatalog(join(folder, "tools")).tools.keys()]).toEqual([]);
  },
);

verifies(
  "import.never-overwrites",
  "what a human changed stays, and the difference is said",
  async () => {
    const { folder, run } = laid();
    await run("--operation", "getOrder");
    const first = join(folder, "tools/shop/shop_get_order.tool.yaml");
    const edited = readFileSync(first, "utf8").replace("minimum: 1", "minimum: 7");
    writeFileSync(first, edited);
    const again = await run("--operation", "getOrder", "--operation", "voidOrder", "--json");
    expect(again.code).toBe(0);
    const [said] = jsonLines<{ drafts: Json[] }>(again);
    expect(said?.drafts).toMatchObject([
      {
        name: "shop_get_order",
        state: "differs",
        differences: ["/input/id/schema/minimum: 7 there, 1 proposed"],
      },
      { name: "shop_void_order", state: "written" },
    ]);
    expect(readFileSync(first, "utf8")).toBe(edited);
  },
);

verifies(
  "import.choice",
  "without an operation and without a terminal nothing is written",
  async () => {
    const { folder, run } = laid();
    const ran = await run();
    expect(ran).toMatchObject({ code: 2 });
    expect(ran.stdout).toMatch(/orders +2\nfiles +1/);
    expect(ran.stderr).toContain("--operation");
    expect(readdirSync(folder)).toEqual(["openapi.json"]);
  },
);
