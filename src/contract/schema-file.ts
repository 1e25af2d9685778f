// Reads a schema out of a tool file: only the keywords that the interpreter enforces may appear,
// for a keyword that is ignored is a limit that somebody believes in.
import { z } from "zod";
import { patternFault } from "./pattern.ts";
import { FORMAT_NAMES } from "./schema.ts";
import type { Schema } from "./schema.ts";

/** Empty where the answer as a whole is meant: some APIs answer with a list. */
export const pointerSchema = z
  .string()
  .regex(/^(?:\/[^/]+)*$/, "a JSON pointer such as /owner/name");

const typeSchema = z.enum(["string", "number", "integer", "boolean", "null", "array", "object"]);
const whole = z.int().min(0);
const DEF_NAME = /^[A-Za-z0-9_.-]{1,64}$/;

const patternSchema = z
  .string()
  .max(1000)
  .superRefine((pattern, context) => {
    const fault = patternFault(pattern);
    if (fault === undefined) return;
    const mend = "write it as RE2 has it: no look-around, no back-references";
    context.addIssue({ code: "custom", message: `${fault}; ${mend}` });
  });

const keywords = z.lazy(() =>
  z
    .strictObject({
      type: z.union([typeSchema, z.array(typeSchema).min(1)]),
      $ref: z.string().regex(/^#\/\$defs\/[A-Za-z0-9_.-]{1,64}$/, "#/$defs/NAME"),
      allOf: z.array(partSchema).min(1).max(64),
      anyOf: z.array(partSchema).min(1).max(64),
      oneOf: z.array(partSchema).min(1).max(64),
      not: partSchema,
      title: z.string(),
      description: z.string(),
      default: z.unknown(),
      examples: z.array(z.unknown()),
      enum: z.array(z.unknown()).min(1),
      const: z.unknown(),
      minimum: z.number(),
      maximum: z.number(),
      exclusiveMinimum: z.number(),
      exclusiveMaximum: z.number(),
      multipleOf: z.number().positive(),
      minLength: whole,
      maxLength: whole,
      pattern: patternSchema,
      format: z.enum(FORMAT_NAMES as [string, ...string[]]),
      items: schemaSchema,
      minItems: whole,
      maxItems: whole,
      uniqueItems: z.boolean(),
      properties: z.record(z.string(), schemaSchema),
      required: z.array(z.string()),
      minProperties: whole,
      maxProperties: whole,
      additionalProperties: z.union([z.boolean(), schemaSchema]),
    })
    .partial(),
);

/** One of several that a value is held against: it need not say everything. */
const partSchema = keywords as unknown as z.ZodType<Schema>;

const SAYS = ["type", "$ref", "allOf", "anyOf", "oneOf", "enum", "const"] as const;

/** All that is said of one value. */
export const schemaSchema = keywords.refine(
  (schema) => SAYS.some((keyword) => schema[keyword] !== undefined),
  `say what it may be, with one of ${SAYS.join(", ")}`,
) as unknown as z.ZodType<Schema>;

export const defsSchema = z.record(z.string().regex(DEF_NAME, "a name"), schemaSchema);
