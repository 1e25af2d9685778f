// The tools of a local MCP server, as somebody who imports them sees them: its program is started
// once, in the same jail that it would run in, and ended again.
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { NoServerProgram, serverProgram } from "../catalog/upstream/program.ts";
import { isolationSchema } from "../config/isolation.ts";
import type { Config } from "../config/load.ts";
import { systemClock } from "../kernel/clock.ts";
import { keptFrom } from "../sandbox/upstream/local-servers.ts";
import { NotStarted, withLocalServer } from "../sandbox/upstream/look-local.ts";
import { listOnce, unlistedWhy } from "../sandbox/upstream/upstreams.ts";
import type { Asked } from "./mcp-listing.ts";
import { EXIT, Stop } from "./output.ts";

const NEVER = new AbortController().signal;
const CHECK_S = 60;

/** `folder` is the catalogue's. Throws `Stop` where it does not start, or lists nothing. */
export async function listLocal(
  typed: readonly string[],
  config: Config | undefined,
  folder: string,
): Promise<Asked & { readonly command: readonly string[] }> {
  const here = process.cwd();
  const base = config === undefined ? here : dirname(config.file);
  const command = fromFolder(typed, here, base);
  const kept = config === undefined ? [join(here, "mcp.config.json"), folder] : keptFrom(config);
  const isolation = config?.isolation ?? isolationSchema.parse({});
  try {
    const program = serverProgram(command, base, kept);
    return await withLocalServer(program, isolation, async ({ upstream, digest }) => {
      const endpoint = { command, files: digest };
      const way = {
        endpoint,
        check_s: CHECK_S,
        open: () => upstream,
        close: () => Promise.resolve(),
      };
      const asked = { token: undefined, signal: NEVER, clock: systemClock };
      const listed = await listOnce(way, asked);
      if (listed.ok) return { endpoint, command, tools: listed.value };
      throw new Stop(EXIT.tool_failed, unlistedWhy(listed.refusal).why);
    });
  } catch (error) {
    if (error instanceof NoServerProgram) throw stopped(EXIT.usage, error);
    if (error instanceof NotStarted) throw stopped(EXIT.tool_failed, error);
    throw error;
  }
}

function stopped(code: number, { message, mend }: { message: string; mend: string }): Stop {
  return new Stop(code, `${message}\n    mend: ${mend}`);
}

// What is typed here is of this folder; what the configuration says, of its own.
function fromFolder(
  typed: readonly string[],
  here: string,
  base: string,
): readonly [string, ...string[]] {
  const [first = "", script, ...rest] = typed;
  const moved = (word: string): string =>
    here === base ? word : relative(base, resolve(here, word)).split(sep).join("/");
  if (basename(first) !== "node") return [moved(first), ...typed.slice(1)];
  return script === undefined ? ["node"] : ["node", moved(script), ...rest];
}
