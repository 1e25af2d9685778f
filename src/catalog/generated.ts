// `run_code`: the one tool that is built in. What it runs comes with the call, so all that is fixed
// here is what goes in and what comes out.
import { projectionSchema } from "../contract/projection.ts";
import type { Projection } from "../contract/projection.ts";
import type { Schema } from "../contract/schema.ts";
import { withMeaning } from "./build.ts";
import type { GeneratedTool, Input } from "./definition.ts";

const CODE_CHARS_MAX = 65_536;
const JSON_TYPES = ["object", "array", "string", "number", "boolean", "null"] as const;

const CODE: Input = {
  optional: false,
  ledger: "sealed",
  schema: {
    type: "string",
    minLength: 1,
    maxLength: CODE_CHARS_MAX,
    description: "The body of an async JavaScript function",
  },
};

const OUTPUT: Projection = new Map([
  [
    "value",
    {
      kind: "value",
      from: "/value",
      optional: false,
      ledger: "sealed",
      description: "What the code returned",
      schema: { type: JSON_TYPES },
    },
  ],
  [
    "output",
    {
      kind: "value",
      from: "/output",
      optional: false,
      ledger: "sealed",
      description: "What it printed",
      schema: { type: "string" },
    },
  ],
]);

const INPUT_SCHEMA: Schema = Object.freeze({
  type: "object",
  properties: { code: CODE.schema },
  required: ["code"],
  additionalProperties: false,
});

const DESCRIPTION =
  "Runs JavaScript that you write: the body of an async function that is given `api`, with this " +
  "session's read-only tools as functions (`await api.TOOL({ ... })` answers with the tool's " +
  "structured result, or throws an error with a `code`), and `print`. Answers with what the code " +
  "returned and printed. There is no network, no file, no timer and no module to import.";

export function runCodeTool(timeout_ms: number): GeneratedTool {
  const tool: Omit<GeneratedTool, "hash" | "meaning"> = {
    kind: "generated",
    name: "run_code",
    title: "Run code",
    description: DESCRIPTION,
    inputs: new Map([["code", CODE]]),
    input_schema: INPUT_SCHEMA,
    output: OUTPUT,
    output_schema: projectionSchema(OUTPUT),
    effects: Object.freeze({
      readOnly: true,
      destructive: false,
      idempotent: true,
      openWorld: false,
    }),
    target: undefined,
    timeout_ms,
  };
  const { inputs: _, output: __, ...said } = tool;
  return withMeaning(tool, said);
}
