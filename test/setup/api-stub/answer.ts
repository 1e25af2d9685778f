// An answer that a document allows: each property of it once, lists of one, as deep as it needs.
import { jsonOf, listOf } from "./document.ts";
import type { Document, Json } from "./document.ts";

const LEVELS_MAX = 6;

const FORMATS: Readonly<Record<string, string>> = {
  date: "2026-01-02",
  "date-time": "2026-01-02T03:04:05Z",
  email: "ada@example.com",
  uri: "https://example.com/a",
  uuid: "6f9619ff-8b86-4011-b42d-00c04fc964ff",
};

/** The last page of its kind. The deeper it is, the less of it: what is required, in the end. */
export function sampleOf(document: Document, node: Json, level = 0): unknown {
  const schema = document.resolve(node);
  const [branch] = [...listOf(schema["oneOf"]), ...listOf(schema["anyOf"])].map(jsonOf);
  const all = listOf(schema["allOf"]).map(jsonOf);
  if (level > 0 && mayBeNull(schema)) return null;
  if (all.length > 0) return mergedSample(document, schema, all, level);
  if (branch !== undefined && !("properties" in schema)) return sampleOf(document, branch, level);
  if ("const" in schema) return schema["const"];
  if (listOf(schema["enum"]).length > 0) return listOf(schema["enum"])[0];
  return typedSample(document, schema, level);
}

function typedSample(document: Document, schema: Json, level: number): unknown {
  const unsaid = "properties" in schema ? "object" : "items" in schema ? "array" : "null";
  switch ([schema["type"] ?? unsaid].flat()[0]) {
    case "object":
      return recordOf(document, schema, level);
    case "array":
      return listFrom(document, schema, level);
    case "string":
      return textOf(schema);
    case "integer":
    case "number":
      return numberOf(schema);
    case "boolean":
      return false;
    default:
      return null;
  }
}

function mayBeNull(schema: Json): boolean {
  const branches = [...listOf(schema["oneOf"]), ...listOf(schema["anyOf"])].map(jsonOf);
  const types = [schema["type"], ...branches.map((one) => one["type"])].flat();
  return types.includes("null") && !("properties" in schema);
}

function mergedSample(document: Document, schema: Json, parts: readonly Json[], level: number) {
  const own = "properties" in schema ? [recordOf(document, schema, level)] : [];
  const all = [...parts.map((part) => sampleOf(document, part, level)), ...own];
  const objects = all.filter((one) => one !== null && typeof one === "object");
  return objects.length === 0 ? all[0] : Object.assign({}, ...objects.toReversed());
}

function recordOf(document: Document, schema: Json, level: number): Record<string, unknown> {
  const required = listOf(schema["required"]);
  const chosen = Object.entries(jsonOf(schema["properties"])).filter(
    ([name]) => required.includes(name) || (level < 3 && !/next|more|cursor/i.test(name)),
  );
  if (level > LEVELS_MAX * 3) return {};
  return Object.fromEntries(
    chosen.map(([name, one]) => [name, sampleOf(document, jsonOf(one), level + 1)]),
  );
}

function listFrom(document: Document, schema: Json, level: number): readonly unknown[] {
  const min = Number(schema["minItems"] ?? 0);
  const length = Math.max(
    min,
    level < LEVELS_MAX ? Math.min(1, Number(schema["maxItems"] ?? 1)) : 0,
  );
  return Array.from({ length }, () => sampleOf(document, jsonOf(schema["items"]), level + 1));
}

function textOf(schema: Json): string {
  const known = FORMATS[String(schema["format"])];
  if (known !== undefined) return known;
  const length = Math.max(1, Number(schema["minLength"] ?? 1));
  const words = ["a".repeat(length), "1".repeat(length), "a1", "A", "a@b.example", "1.1"];
  const pattern = schema["pattern"];
  if (typeof pattern !== "string") return words[0] ?? "";
  return words.find((word) => new RegExp(pattern, "u").test(word)) ?? words[0] ?? "";
}

function numberOf(schema: Json): number {
  const least = Number(schema["minimum"] ?? Number(schema["exclusiveMinimum"] ?? 0) + 1);
  return Math.min(least, Number(schema["maximum"] ?? least));
}
