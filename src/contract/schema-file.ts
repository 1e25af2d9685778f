// Reads a schema out of a tool file: only the keywords that the interpreter enforces may appear,
// for a keyword that is ignored is a limit that somebody believes in.
import { z } from "zod";
import { FORMAT_NAMES } from "./schema.ts";
import type { Schema } from "./schema.ts";

const typeSchema = z.enum(["string", "number", "integer", "boolean", "null", "array", "object"]);
const whole = z.int().min(0);

export const schemaSchema: z.ZodType<Schema> = z.lazy(() =>
  z
    .strictObject({
      type: z.union([typeSchema, z.array(typeSchema).min(1)]),
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
      format: z.enum(FORMAT_NAMES as [string, ...string[]]),
      items: schemaSchema,
      minItems: whole,
      maxItems: whole,
      properties: z.record(z.string(), schemaSchema),
      required: z.array(z.string()),
      additionalProperties: z.boolean(),
    })
    .partial()
    .required({ type: true }),
) as unknown as z.ZodType<Schema>;
