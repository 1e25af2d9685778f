// Tools written in code: their files, and what they say of themselves. This process never runs such
// a file; a worker reads its manifest out, and here it is checked as any other file is.
import { lstatSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { z } from "zod";
import type { Field, LedgerMark, Projection } from "../contract/projection.ts";
import type { Schema } from "../contract/schema.ts";
import { schemaSchema } from "../contract/schema-file.ts";
import { digestOf } from "../kernel/ids.ts";
import { decodeUtf8, pointerTo } from "../kernel/json.ts";
import { checkTarget, checkTemplate, markOf, saidOf, withMeaning } from "./build.ts";
import { checkBounded, checkReferences } from "./references.ts";
import type { Complain } from "./complain.ts";
import type { CodeTool, Connector, Input } from "./definition.ts";
import { ledgerMarkSchema, OPERATION, toolLimits, toolTextSchema } from "./tool-file.ts";

export const CODE_SUFFIX = ".tool.ts";
const SOURCE_BYTES_MAX = 262_144;

/** A tool's file, read once: what a worker is given is what was fingerprinted. */
export interface CodeFile {
  readonly file: string;
  readonly name: string;
  readonly text: string;
}

/** What a worker said of a file: its manifest and its JavaScript, or what is wrong with it. */
export type ManifestRead =
  | { readonly manifest: unknown; readonly source: string; readonly text: string }
  | { readonly failure: string };

/** Runs the file where it can do nothing, and asks what it is. Implemented by sandbox/. */
export type ManifestReader = (file: CodeFile) => Promise<ManifestRead>;

/** Throws where the file cannot be a tool's, in words for its author. */
export function readCodeFile(file: string): CodeFile {
  // What the link leads to may change after somebody approved it, or be anything at all.
  if (!lstatSync(file).isFile()) throw new Error("is no plain file");
  const bytes = readFileSync(file);
  if (bytes.length > SOURCE_BYTES_MAX) throw new Error(`larger than ${SOURCE_BYTES_MAX} bytes`);
  // Git writes the line ends of Windows there: JavaScript does not tell them apart.
  return {
    file,
    name: basename(file, CODE_SUFFIX),
    text: decodeUtf8(bytes).replaceAll("\r\n", "\n"),
  };
}

const jsonSchema = z.looseObject({
  type: z.literal("object"),
  properties: z.record(z.string(), z.unknown()).default({}),
  required: z.array(z.string()).default([]),
});

const manifestSchema = z.strictObject({
  ...toolTextSchema,
  input: jsonSchema,
  output: jsonSchema,
  uses: z.array(z.string().regex(OPERATION, "METHOD /path")).max(100),
  limits: z
    .strictObject({ ...toolLimits, requests_max: z.int().min(1).max(1000).default(20) })
    .prefault({}),
});

export type Manifest = z.infer<typeof manifestSchema>;

/** The manifest as it was said, or every way in which it is none. */
export function parseManifest(said: unknown, complain: Complain): Manifest | undefined {
  const parsed = manifestSchema.safeParse(said);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) {
    const keys = issue.code === "unrecognized_keys" ? ` (${issue.keys.join(", ")})` : "";
    const pointer = issue.path.map((key) => `/${String(key)}`).join("");
    complain(pointer, `${issue.message}${keys}`, "see docs/tools-in-code.md");
  }
  return undefined;
}

/** A file's JavaScript, and its text as the author wrote it. */
interface CodeRead {
  readonly source: string;
  readonly text: string;
}

/** The definition; `complain` hears of everything that does not fit together. */
export function buildCodeTool(
  manifest: Manifest,
  { source, text }: CodeRead,
  connector: Connector,
  complain: Complain,
): CodeTool {
  const inputs = inputsOf(manifest.input, complain);
  const properties = Object.fromEntries([...inputs].map(([name, { schema }]) => [name, schema]));
  const output = outputOf(manifest.output, "/output", complain);
  const tool: Unhashed = {
    ...saidOf(manifest, output),
    kind: "code",
    connector,
    uses: new Set(manifest.uses),
    inputs,
    input_schema: Object.freeze({
      type: "object",
      properties,
      required: manifest.input.required,
      additionalProperties: false,
    }),
    source,
  };
  checkFit(tool, complain);
  // The author's text, and not what this Node has made of it.
  return withMeaning(tool, { manifest, code: digestOf(text), connector });
}

type Unhashed = Omit<CodeTool, "hash" | "meaning">;

function checkFit(tool: Unhashed, complain: Complain): void {
  for (const [name, { schema }] of tool.inputs)
    checkBounded(pointerTo("/input", name), schema, complain);
  checkTarget(tool, complain);
  for (const operation of tool.uses) {
    const [method = "", path = ""] = operation.split(" ");
    checkTemplate(path, "/uses", complain);
    if (tool.effects.readOnly && !["GET", "POST"].includes(method)) {
      complain("/effects/readOnly", `it uses ${operation}`, "set readOnly to false");
    }
  }
  if (tool.effects.readOnly && tool.effects.destructive) {
    complain("/effects", "read-only and destructive at once", "set readOnly to false");
  }
}

type ObjectSchema = z.infer<typeof jsonSchema>;

function inputsOf(schema: ObjectSchema, complain: Complain): Map<string, Input> {
  const inputs = new Map<string, Input>();
  for (const [name, said] of Object.entries(schema.properties)) {
    const read = readSchema(said, pointerTo("/input", name), complain);
    if (read === undefined) continue;
    const { schema: known, ledger = markOf(known) } = read;
    const optional = !schema.required.includes(name);
    inputs.set(name, Object.freeze({ optional, schema: known, ledger }));
  }
  return inputs;
}

// An object or a list of objects has fields of its own, each with its mark; anything else is a
// value.
function outputOf(schema: ObjectSchema, pointer: string, complain: Complain): Projection {
  const fields = new Map<string, Field>();
  for (const [name, said] of Object.entries(schema.properties)) {
    const at = pointerTo(pointer, name);
    const base = {
      from: pointerTo("", name),
      optional: !schema.required.includes(name),
    };
    const list = z.looseObject({ type: z.literal("array"), items: jsonSchema }).safeParse(said);
    const object = jsonSchema.safeParse(said);
    if (list.success) {
      const items = outputOf(list.data.items, at, complain);
      fields.set(name, { ...base, ...described(said), kind: "list", items });
    } else if (object.success) {
      const inner = outputOf(object.data, at, complain);
      fields.set(name, { ...base, ...described(said), kind: "object", fields: inner });
    } else {
      const read = readSchema(said, at, complain);
      if (read === undefined) continue;
      const { schema: known, ledger = markOf(known) } = read;
      fields.set(name, { ...base, kind: "value", schema: known, ledger });
    }
  }
  return fields;
}

function described(said: unknown): { description?: string } {
  const { description } = said as { description?: unknown };
  return typeof description === "string" ? { description } : {};
}

function readSchema(
  said: unknown,
  pointer: string,
  complain: Complain,
): { schema: Schema; ledger?: LedgerMark } | undefined {
  const { ledger, ...rest } = z.looseObject({}).parse(said);
  const mark = ledgerMarkSchema.optional().safeParse(ledger);
  const parsed = schemaSchema.safeParse(rest);
  if (mark.success && parsed.success) {
    checkReferences(pointer, parsed.data, {}, complain);
    return { schema: parsed.data, ...(mark.data === undefined ? {} : { ledger: mark.data }) };
  }
  if (!mark.success) complain(`${pointer}/ledger`, "no such mark", "plain, sealed or drop");
  for (const issue of parsed.error?.issues ?? []) {
    const keys = issue.code === "unrecognized_keys" ? ` (${issue.keys.join(", ")})` : "";
    const at = issue.path.map((key) => `/${String(key)}`).join("");
    const mend = "use what doorless itself enforces (docs/tool-files.md)";
    complain(`${pointer}${at}`, `${issue.message}${keys}`, mend);
  }
  return undefined;
}
