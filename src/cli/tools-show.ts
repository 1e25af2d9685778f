// `tools show`: a tool as an agent's client will see it. The author's own files, drafts too;
// nothing runs but what reads a code tool's manifest, in a worker.
import type { ToolDefinition } from "../catalog/definition.ts";
import type { House } from "../console/house.ts";
import { readHouse, withSandboxOffline } from "../console/house.ts";
import { listingOf } from "../policy/surface.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { configIn, CORE_HELP, CORE_OPTIONS } from "./core.ts";
import { EXIT, printJson, Stop } from "./output.ts";
import { toolNamed } from "./tools-folder.ts";
import { wordsOf } from "./verb.ts";
import type { Given, Verb } from "./verb.ts";

export const toolsShow: Verb = {
  name: "tools show",
  usage: "tools show TOOL [--config FILE]",
  summary: "a tool as an agent will see it: its schemas and effects",
  json: "nothing else: it prints JSON as it is",
  help: ["TOOL            its name, or its file", ...CORE_HELP],
  options: CORE_OPTIONS,
  async run(given) {
    const [named = ""] = wordsOf(toolsShow, given, "TOOL");
    return withTool(given, named, async (tool) => {
      printJson(listingOf(tool));
      return EXIT.ok;
    });
  },
};

/** Reads the author's catalogue, drafts included, and does something with one tool of it. */
export function withTool(
  given: Given,
  named: string,
  then: (tool: ToolDefinition, house: House, sandbox: Sandbox | undefined) => Promise<number>,
): Promise<number> {
  const name = toolNamed(named);
  const read = configIn(given);
  return withSandboxOffline(read, async (sandbox) => {
    const house = await readHouse(read, sandbox, true);
    const tool = house.catalog.tools.get(name);
    if (tool !== undefined) return then(tool, house, sandbox);
    const why = house.catalog.absent.get(name) ?? `there is no such tool in ${read.tools_dir}`;
    throw new Stop(EXIT.usage, `${name}: ${why}`);
  });
}
