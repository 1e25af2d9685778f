// What a policy may say of a tool and of a call's arguments, as it is written in the configuration.
// Data alone: no expression is evaluated, and each rule can be explained and compared (ADR 15).
import { z } from "zod";

const PATTERN_CHARS_MAX = 500;
const VALUES_MAX = 1000;

const whole = z.int().min(0);
const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const argumentName = z.string().min(1).max(100);
const toolName = z.string().regex(/^[a-z][a-z0-9_]{0,47}$/, "a tool name: [a-z][a-z0-9_]*");
const rowPointer = z
  .string()
  .regex(/^(?:\/[^/*]+)+$/, "a JSON pointer into the tool's result, such as /customer_id");
const claim = z
  .string()
  .regex(
    /^principal\.[a-z][a-z0-9_]{0,47}$/,
    "principal.subject, .tenant, .issuer, or one of the issuer's claims.attributes",
  );

/** A value of a tool's earlier answer in the same session, and what its row must be like. */
export interface SeenFile {
  readonly tool: string;
  /** The list in the result whose items are the rows; without it the result is the one row. */
  readonly each?: string | undefined;
  readonly field: string;
  readonly where?: Readonly<Record<string, ConditionFile>> | undefined;
}

/** What one argument must be like. Every keyword that is given must hold. */
export interface ConditionFile {
  readonly enum?: readonly (string | number | boolean | null)[] | undefined;
  readonly const?: string | number | boolean | null | undefined;
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
  readonly exclusiveMinimum?: number | undefined;
  readonly exclusiveMaximum?: number | undefined;
  readonly multipleOf?: number | undefined;
  readonly minLength?: number | undefined;
  readonly maxLength?: number | undefined;
  readonly format?: string | undefined;
  readonly pattern?: string | undefined;
  readonly minItems?: number | undefined;
  readonly maxItems?: number | undefined;
  readonly items?: ConditionFile | undefined;
  readonly properties?: Readonly<Record<string, ConditionFile>> | undefined;
  readonly not?: ConditionFile | undefined;
  readonly equals?: string | undefined;
  readonly member_of?: string | undefined;
  readonly seen_in?: readonly SeenFile[] | undefined;
  readonly optional?: boolean | undefined;
  readonly absent?: true | undefined;
  readonly confidential?: boolean | undefined;
}

// A name for what is inside itself; each time the same object, or no JSON Schema would end.
const below = z.lazy(() => conditionSchema);

const seenSchema: z.ZodType<SeenFile> = z.strictObject({
  tool: toolName,
  each: rowPointer.optional().describe("The list whose items are the rows"),
  field: rowPointer.describe("Where the value stands in a row"),
  where: z
    .record(rowPointer, below)
    .optional()
    .describe("What the row must be like, by JSON pointer"),
});

const conditionSchema: z.ZodType<ConditionFile> = z
  .strictObject({
    enum: z.array(scalar).min(1).max(VALUES_MAX),
    const: scalar,
    minimum: z.number(),
    maximum: z.number(),
    exclusiveMinimum: z.number(),
    exclusiveMaximum: z.number(),
    multipleOf: z.number().positive(),
    minLength: whole,
    maxLength: whole,
    format: z.enum(["date", "date-time", "email", "uri", "uuid"]),
    pattern: z
      .string()
      .min(1)
      .max(PATTERN_CHARS_MAX)
      .describe("RE2 syntax, matched in linear time; the whole value must match"),
    minItems: whole,
    maxItems: whole,
    items: below.describe("What each item of a list must be like"),
    properties: z.record(argumentName, below),
    not: below,
    equals: claim.describe("The value of a claim of the verified user"),
    member_of: claim.describe("One of the values of a claim that is a list"),
    seen_in: z
      .array(seenSchema)
      .min(1)
      .max(10)
      .describe("A value that an earlier answer of the same session held"),
    optional: z.boolean().describe("Holds as well where the argument is not given"),
    absent: z.literal(true).describe("The argument must not be given"),
    confidential: z
      .boolean()
      .describe("What is allowed is told to nobody: not listed, not in errors"),
  })
  .partial()
  .refine((c) => Object.keys(c).some((key) => key !== "optional" && key !== "confidential"), {
    error: "says nothing: give a keyword such as enum, maximum or pattern",
  })
  .refine((c) => c.absent === undefined || Object.keys(c).length === 1, {
    error: "absent stands alone",
  })
  .meta({ id: "condition" });

const conditionsSchema = z
  .record(argumentName, conditionSchema)
  .refine((c) => Object.keys(c).length > 0, "name an argument");

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
const timeOfDay = z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, "HH:MM, from 00:00 to 23:59");

const hoursSchema = z
  .strictObject({
    days: z
      .array(z.enum(DAYS))
      .min(1)
      .default([...DAYS]),
    from: timeOfDay,
    to: timeOfDay.describe("Not included; earlier than from, it is the next day's"),
    zone: z.string().min(1).max(60).describe("A time zone of the IANA list, such as UTC"),
  })
  .refine((h) => h.from !== h.to, "from and to are the same: that is no time at all");

const ruleSchema = z
  .strictObject({
    when: conditionsSchema.describe("Counts where all of these hold, or nobody can say"),
    hours: hoursSchema.optional().describe("Counts only then"),
    refuse: z.string().min(1).max(300).optional().describe("Refused; told to the agent"),
    approve: z.literal("human").optional().describe("Such a call needs a human's yes, on /approve"),
  })
  .refine((r) => (r.refuse === undefined) !== (r.approve === undefined), {
    error: "give either refuse or approve",
  });

const grantSchema = z.strictObject({
  approve: z.literal("human").optional().describe("Each call needs a human's yes, on /approve"),
  scope: z
    .string()
    .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, "one OAuth scope")
    .optional()
    .describe("Only for tokens with this scope"),
  arguments: conditionsSchema
    .optional()
    .describe("What the arguments must be like; one that is named here must be given"),
  hours: hoursSchema.optional().describe("Only then"),
  rules: z.array(ruleSchema).min(1).max(100).optional(),
});

/** A tool's name, `toolset:NAME`, or `effect:read`, `effect:write`, `effect:destroy`. */
const SELECTOR =
  /^(?:toolset:[a-z][a-z0-9_-]{0,47}|effect:(?:read|write|destroy)|[a-z][a-z0-9_]{0,47})$/;

const selector = z
  .string()
  .regex(SELECTOR, "a tool's name, toolset:NAME, or effect:read, effect:write, effect:destroy");

const toolsSchema = z.record(selector, grantSchema);
const shrinking = {
  exclude: z.array(selector).default([]).describe("Not these, whoever else lists them"),
  read_only: z.boolean().default(false).describe("Only tools that read, whatever is listed"),
};

export const agentToolsSchema = {
  tools: toolsSchema.describe("The tools of this agent; the rest do not exist"),
  ...shrinking,
};

const listed = z.union([z.literal("all"), z.array(selector)]);

export const roleSchema = z
  .record(
    z.string().regex(/^[a-z][a-z0-9_-]{0,47}$/),
    z.union([listed, z.strictObject({ tools: z.union([listed, toolsSchema]), ...shrinking })]),
  )
  .describe("Per agent, which of its tools this role has");

export type GrantFile = z.infer<typeof grantSchema>;
export type RuleFile = z.infer<typeof ruleSchema>;
export type HoursFile = z.infer<typeof hoursSchema>;
export type RoleFile = z.infer<typeof roleSchema>;
