// `stdio`: attaches an IDE to the doorless that owns the data folder, or to a remote one.
import { readLocal } from "../console/local.ts";
import { Secret } from "../kernel/secret.ts";
import { runBridge } from "../mcp/bridge.ts";
import { CORE_HELP, CORE_OPTIONS, placeOf } from "./core.ts";
import { EXIT, note, Stop } from "./output.ts";
import { usageError, wordsOf } from "./verb.ts";
import type { Given, Verb } from "./verb.ts";

export const stdio: Verb = {
  name: "stdio",
  usage: "stdio AGENT [--remote URL]",
  summary: "MCP over stdio for one IDE; takes DOORLESS_TOKEN from the environment",
  help: ["--remote URL    a doorless elsewhere: its MCP URL, or its origin", ...CORE_HELP],
  options: { ...CORE_OPTIONS, remote: { type: "string" } },
  async run(given) {
    const [agent = ""] = wordsOf(stdio, given, "AGENT");
    const url = mcpUrl(stdio, given, agent);
    await runBridge({ url, token: tokenFromEnvironment(), onNote: note });
    return EXIT.ok;
  },
};

/** The MCP endpoint of an agent: at --remote, or at the doorless that owns the data folder. */
export function mcpUrl(verb: Verb, given: Given, agent: string): URL {
  if (!/^[a-z][a-z0-9_-]{0,47}$/.test(agent))
    throw usageError(verb, "AGENT is not an agent's name");
  const remote = given.text("remote");
  if (remote !== undefined) {
    if (!URL.canParse(remote)) throw usageError(verb, "--remote is not a URL");
    const url = new URL(remote);
    return url.pathname === "/" ? new URL(`/mcp/${agent}`, url) : url;
  }
  const { data } = placeOf(given);
  const base = readLocal(data, "core")?.["url"];
  if (typeof base === "string") return new URL(`/mcp/${agent}`, base);
  const mend = "start one with `doorless demo` or `doorless start`, or give --remote URL";
  throw new Stop(EXIT.unreachable, `no doorless runs in ${data}; ${mend}`);
}

/** DOORLESS_TOKEN, or exit code 3: sign-in needed. */
export function tokenFromEnvironment(): Secret {
  const token = process.env["DOORLESS_TOKEN"]?.trim();
  if (token !== undefined && token !== "") return new Secret(token);
  const demo = "in the demo: DOORLESS_TOKEN=$(doorless demo token PERSON AGENT)";
  throw new Stop(EXIT.sign_in, `sign-in needed: set DOORLESS_TOKEN to an access token (${demo})`);
}
