// A projection: which fields of an answer come through, and what counts as drift.
import { describe, expect, test } from "vitest";
import { project, projectionSchema } from "../../../src/contract/projection.ts";
import { mismatches } from "../../../src/contract/schema.ts";
import { verifies } from "../../verifies.ts";
import { catalogOf, toolFile } from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";

const INTEGER = { type: "integer" };
const TEXT = { type: "string" };

function projectionOf(output: Json) {
  const tool = catalogOf(toolFile("item_get", { output })).tools.get("item_get");
  if (tool === undefined) throw new Error("no tool");
  return tool.output;
}

const NESTED = {
  id: { from: "/id", schema: INTEGER },
  owner: { from: "/people/owner/name", schema: TEXT },
  note: { from: "/note", optional: true, schema: TEXT },
  rows: { from: "/items", items: { sku: { from: "/sku", schema: TEXT } } },
  box: { from: "/box", fields: { size: { from: "/dim/w", schema: INTEGER } } },
};

const ANSWER = {
  id: 7,
  people: { owner: { name: "Ada", email: "canary@x.test" } },
  items: [{ sku: "a", cost: "canary" }, { sku: "b" }],
  box: { dim: { w: 3 }, secret: "canary" },
  token: "canary",
};

describe("projection", () => {
  verifies(
    "broker.projection",
    "the projected fields come through, everything else is dropped",
    () => {
      const { value, drift } = project(projectionOf(NESTED), ANSWER);
      expect(drift).toEqual([]);
      expect(value).toEqual({
        id: 7,
        owner: "Ada",
        rows: [{ sku: "a" }, { sku: "b" }],
        box: { size: 3 },
      });
      expect(JSON.stringify(value)).not.toContain("canary");
    },
  );

  for (const [what, change, path] of [
    ["a missing field", { id: undefined }, "/id"],
    ["another type", { id: "7" }, "/id"],
    ["null where a value was", { id: null }, "/id"],
    ["a missing parent", { people: {} }, "/people/owner/name"],
    ["a list that is none", { items: {} }, "/items"],
    ["a list item that is none", { items: [{ sku: "a" }, 7] }, "/items/1/sku"],
    ["a wrong field in a list", { items: [{ sku: "a" }, { sku: 1 }] }, "/items/1/sku"],
    [
      "a list beyond a thousand",
      { items: Array.from({ length: 1001 }, () => ({ sku: "a" })) },
      "/items",
    ],
    ["an object that is a list", { box: [] }, "/box"],
    ["an object that is null", { box: null }, "/box"],
    ["an optional field of another type", { note: 7 }, "/note"],
  ] as const) {
    verifies("broker.projection", `${what} is drift at ${path}`, () => {
      const { drift } = project(projectionOf(NESTED), { ...ANSWER, ...change });
      expect(drift.map((one) => one.path)).toEqual([path]);
    });
  }

  verifies("broker.projection", "an optional field may be absent, and null is not absent", () => {
    expect(project(projectionOf(NESTED), ANSWER).drift).toEqual([]);
    expect(project(projectionOf(NESTED), { ...ANSWER, note: null }).drift).toHaveLength(1);
    expect(project(projectionOf(NESTED), { ...ANSWER, note: "n" }).value["note"]).toBe("n");
  });

  test("what is inherited is not in an answer", () => {
    const output = { a: { from: "/constructor/name", optional: true, schema: TEXT } };
    expect(project(projectionOf(output), {})).toEqual({ value: {}, drift: [] });
  });

  test("an answer that is no object is drift, not an exception", () => {
    for (const answer of [undefined, null, 7, "text", []]) {
      expect(project(projectionOf(NESTED), answer).drift.length).toBeGreaterThan(0);
    }
  });
});

describe("output schema", () => {
  verifies("broker.projection", "is closed, and names the required fields", () => {
    expect(projectionSchema(projectionOf(NESTED))).toEqual({
      type: "object",
      properties: {
        id: INTEGER,
        owner: TEXT,
        note: TEXT,
        rows: {
          type: "array",
          maxItems: 1000,
          items: {
            type: "object",
            properties: { sku: TEXT },
            required: ["sku"],
            additionalProperties: false,
          },
        },
        box: {
          type: "object",
          properties: { size: INTEGER },
          required: ["size"],
          additionalProperties: false,
        },
      },
      required: ["id", "owner", "rows", "box"],
      additionalProperties: false,
    });
  });

  verifies("broker.projection", "accepts what comes through", () => {
    const projection = projectionOf(NESTED);
    const { value } = project(projection, ANSWER);
    expect(mismatches(projectionSchema(projection), value)).toEqual([]);
  });
});
