// From a *.tool.yaml that names a tool of an MCP server, and its pin, to one UpstreamTool.
import {
  checkSchemas,
  checkTarget,
  inputSchemaOf,
  markOf,
  saidOf,
  toProjection,
  withMeaning,
} from "../build.ts";
import type { Complain } from "../complain.ts";
import type { Connector, NamedInput, UpstreamTool } from "../definition.ts";
import { withDefinitions } from "../references.ts";
import type { UpstreamFile } from "../tool-file.ts";
import type { UpstreamPin } from "./pin.ts";

/** The definition; `complain` hears of everything that does not fit together. */
export function buildUpstreamTool(
  file: UpstreamFile,
  pin: UpstreamPin,
  connector: Connector,
  complain: Complain,
): UpstreamTool {
  const inputs = Object.entries(file.input).map(
    ([name, one]) => [name, toInput(name, one, file)] as const,
  );
  const tool: Omit<UpstreamTool, "hash" | "meaning"> = {
    ...saidOf(file, toProjection(file.output)),
    kind: "upstream",
    connector,
    upstream: file.upstream,
    inputs: new Map(inputs),
    input_schema: inputSchemaOf(file),
    pin,
  };
  checkSchemas(file, complain);
  checkTarget(tool, complain);
  checkNames(tool, complain);
  if (tool.effects.readOnly && tool.effects.destructive) {
    complain("/effects", "read-only and destructive at once", "set readOnly to false");
  }
  if (pin.definition.name !== file.upstream) {
    const mend = "import the tool again, or name the one that is pinned";
    complain("/upstream", "its contract is another tool's", mend);
  }
  return withMeaning(tool, { file, connector });
}

function toInput(name: string, one: UpstreamFile["input"][string], file: UpstreamFile): NamedInput {
  const schema = withDefinitions(one.schema, file.$defs);
  const { as = name, optional, ledger = markOf(schema) } = one;
  return Object.freeze({ as, optional, schema, ledger });
}

function checkNames({ inputs }: Pick<UpstreamTool, "inputs">, complain: Complain): void {
  const seen = new Set<string>();
  for (const [name, { as }] of inputs) {
    if (seen.has(as)) complain(`/input/${name}`, `${as} is sent already`, "let one input have it");
    seen.add(as);
  }
}
