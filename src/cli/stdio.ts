// `stdio`: attaches an IDE to the doorless that owns the data folder, or to a remote one. It starts
// no browser and asks nobody anything: whoever is not signed in has no tools, and is told how.
import { networkInterfaces } from "node:os";
import { readLocal } from "../console/local.ts";
import { SignInFailed } from "../identity/native.ts";
import { isLoopback } from "../kernel/address.ts";
import { Secret } from "../kernel/secret.ts";
import { runBridge } from "../mcp/bridge.ts";
import type { SignedIn, TokenSource } from "../mcp/side.ts";
import { configOf, mustBeLikeAgent, remoteOf } from "./agents.ts";
import { attachTo } from "./background.ts";
import { CORE_HELP, CORE_OPTIONS, placeOf } from "./core.ts";
import { EXIT, note, Stop } from "./output.ts";
import { SignIns } from "./sign-ins.ts";
import { wordsOf } from "./verb.ts";
import type { Given, Verb } from "./verb.ts";

export const stdio: Verb = {
  name: "stdio",
  usage: "stdio AGENT [--remote URL]",
  summary: "MCP over stdio for one IDE, as who is signed in; or with DOORLESS_TOKEN",
  help: [
    "--remote URL    a doorless elsewhere: its MCP URL, or its origin",
    "without it, the doorless of the data folder, started when none runs",
    ...CORE_HELP,
  ],
  json: null,
  options: { ...CORE_OPTIONS, remote: { type: "string" } },
  async run(given) {
    const [agent = ""] = wordsOf(stdio, given, "AGENT");
    const tokens = tokensFor(stdio, given, agent);
    let detach: (() => void) | undefined;
    const connect = async (): Promise<URL> => {
      if (given.text("remote") === undefined) detach ??= await attachTo(placeOf(given));
      return mcpUrl(stdio, given, agent);
    };
    // Whoever is signed in hears at once where there is no doorless.
    if ((await tokens.current().catch(unreachable)) === undefined) note(tokens.nobody());
    else await connect();
    try {
      await runBridge({ connect, tokens, onNote: note });
    } finally {
      detach?.();
    }
    return EXIT.ok;
  },
};

function unreachable(error: unknown): never {
  if (!(error instanceof SignInFailed)) throw error;
  throw new Stop(EXIT.unreachable, `the sign-in cannot be renewed: ${error.message}`);
}

/** The MCP endpoint of an agent: at --remote, or at the doorless that owns the data folder. */
export function mcpUrl(verb: Verb, given: Given, agent: string): URL {
  const remote = remoteUrl(verb, given, agent);
  if (remote !== undefined) return remote;
  const { data } = placeOf(given);
  const base = readLocal(data, "core")?.["url"];
  if (typeof base === "string") {
    const url = new URL(`/mcp/${agent}`, base);
    // The file lies in a folder that came from somewhere, perhaps with a project: whatever it says,
    // a token that is meant for this machine's doorless does not leave the machine.
    if (isThisMachine(url.hostname)) return url;
    throw new Stop(EXIT.usage, `${data}/core.json names ${url.host}, which is not this machine`);
  }
  const mend = "start one with `doorless demo` or `doorless start`, or give --remote URL";
  throw new Stop(EXIT.unreachable, `no doorless runs in ${data}; ${mend}`);
}

function isThisMachine(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "");
  const own = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  return isLoopback(host) || own.some(({ address }) => address === bare);
}

function remoteUrl(verb: Verb, given: Given, agent: string): URL | undefined {
  mustBeLikeAgent(verb, given, agent);
  const url = remoteOf(verb, given);
  return url?.pathname === "/" ? new URL(`/mcp/${agent}`, url) : url;
}

interface Tokens extends TokenSource {
  /** Why there is no token, and what to run. */
  nobody(): string;
}

/** DOORLESS_TOKEN, where it is set; else the stored sign-in. */
function tokensFor(verb: Verb, given: Given, agent: string): Tokens {
  const remote = remoteUrl(verb, given, agent);
  const given_token = process.env["DOORLESS_TOKEN"]?.trim();
  if (given_token !== undefined && given_token !== "") {
    const fixed = sendable({ token: new Secret(given_token), who: "DOORLESS_TOKEN" });
    return {
      command: loginCommand(given),
      nobody: () => "",
      current: () => Promise.resolve(fixed),
      refused: () => Promise.resolve(),
      onChange: () => () => undefined,
    };
  }
  const resource = remote?.href ?? localResource(given, agent);
  const signIns = new SignIns();
  // Whether there is such an agent, the person's sign-in does not say.
  const isForOthers = resource !== undefined && signIns.isForOthers(resource);
  const command = loginCommand(given, ...(isForOthers && remote === undefined ? [agent] : []));
  return {
    command,
    nobody: () =>
      isForOthers
        ? `you are signed in, but not for an agent ${agent}; if there is one, run \`${command}\``
        : `nobody is signed in: run \`${command}\``,
    async current() {
      const now = resource === undefined ? undefined : await signIns.tokenFor(resource);
      return now && sendable(now);
    },
    async refused() {
      if (resource !== undefined) await signIns.forgetToken(resource);
    },
    onChange: (tell) =>
      resource === undefined ? () => undefined : signIns.onChange(resource, tell),
  };
}

// An HTTP client that cannot send a header says so with the header in its message: it must not get
// one that it cannot send.
function sendable(signed: SignedIn): SignedIn {
  if (/^[\x20-\x7e]+$/.test(signed.token.reveal())) return signed;
  const what = "the access token holds a line break, or a character that no token has";
  throw new Stop(EXIT.sign_in, `sign-in needed: ${what}`);
}

// The agent's URL as its configuration has it: what the token is bound to, wherever we dial.
function localResource(given: Given, agent: string): string | undefined {
  const config = configOf(given);
  return config === undefined ? undefined : `${config.public_url}/mcp/${agent}`;
}

function loginCommand(given: Given, ...agents: readonly string[]): string {
  const options = ["remote", "data", "config"].flatMap((name) => {
    const value = given.text(name);
    return value === undefined ? [] : [`--${name} ${value}`];
  });
  return ["doorless login", ...agents, ...options].join(" ");
}

/** A token for one call, or exit code 3: sign-in needed. */
export async function tokenFor(verb: Verb, given: Given, agent: string): Promise<Secret> {
  const tokens = tokensFor(verb, given, agent);
  const now = await tokens.current().catch(unreachable);
  if (now !== undefined) return now.token;
  const why = `sign-in needed: ${tokens.nobody()}`;
  throw new Stop(EXIT.sign_in, `${why}, or set DOORLESS_TOKEN to an access token`);
}
