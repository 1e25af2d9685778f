// How the rest of a list is asked for (ADR 22), as a tool's file says it: data, which the broker
// interprets.
import { z } from "zod";
import { LIST_ITEMS_MAX } from "../contract/projection.ts";
import { pointerSchema } from "../contract/schema-file.ts";
import { issueInWords } from "../kernel/in-words.ts";

const parameter = z.string().min(1).max(100);
const told = z.strictObject({ from: pointerSchema, optional: z.boolean().default(false) });
const bounds = {
  items: z.string().describe("the field of `output` that is one list over all pages"),
  pages_max: z.int().min(2).max(100).default(10),
  items_max: z.int().min(1).max(LIST_ITEMS_MAX).default(LIST_ITEMS_MAX),
};

const cursorSchema = z
  .strictObject({
    style: z.literal("cursor"),
    ...bounds,
    parameter,
    next: told.optional().describe("where an answer has the next cursor; null or empty: the end"),
    last: pointerSchema.optional().describe("the cursor, in the last item of a page"),
    more: pointerSchema.optional().describe("where an answer says whether there is more"),
  })
  .refine((one) => (one.next === undefined) !== (one.last === undefined), "give next, or last")
  .refine((one) => one.last === undefined || one.more !== undefined, "last needs more beside it");

const linkSchema = z.strictObject({
  style: z.literal("link"),
  ...bounds,
  parameters: z.array(parameter).min(1).max(5).describe("what of the link's query is taken"),
  next: told.optional().describe("where an answer has the link; not said: its header Link"),
});

const pageSchema = z
  .strictObject({
    style: z.literal("page"),
    ...bounds,
    parameter,
    counts: z.enum(["pages", "items"]).default("pages"),
    first: z.int().min(0).max(1).optional(),
    total: pointerSchema.optional().describe("where an answer says how many items there are"),
    pages: pointerSchema.optional().describe("where an answer says how many pages there are"),
    more: pointerSchema.optional().describe("where an answer says whether there is more"),
  })
  .refine(
    (one) => [one.total, one.pages, one.more].filter((at) => at !== undefined).length < 2,
    "give at most one of total, pages, more",
  );

const FORMS = "say first_page, or style: cursor, link or page, and what belongs to it";
const followedSchema = z.discriminatedUnion("style", [cursorSchema, linkSchema, pageSchema]);
/** `first_page`: one page is what the tool is for, and there may be more. */
export const paginationSchema = z.union([z.literal("first_page"), followedSchema], {
  error: ({ input, code, ...issue }) => {
    if (code !== "invalid_union" || input === null || typeof input !== "object") return FORMS;
    const [, wrong = []] = (issue as unknown as z.core.$ZodIssueInvalidUnion).errors;
    if (wrong.some(({ path }) => path[0] === "style")) return FORMS;
    return wrong.map((one) => `${one.path.join("/")}: ${issueInWords(one)}`).join("; ");
  },
});

export type Pagination = z.infer<typeof paginationSchema>;
/** Pages that are followed to their end. */
export type Followed = z.infer<typeof followedSchema>;
