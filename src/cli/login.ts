// `login`: the person signs in, for `stdio` and `call` on this machine.
import { openNativeClient, SignInFailed } from "../identity/native.ts";
import type { NativeClient, NativeTokens, Wanted } from "../identity/native.ts";
import { Secret } from "../kernel/secret.ts";
import { agentsOf } from "./agents.ts";
import type { AgentPlace } from "./agents.ts";
import { CORE_HELP, CORE_OPTIONS } from "./core.ts";
import { openBrowser, openLoopback } from "./loopback.ts";
import { EXIT, note, print, printJson, Stop } from "./output.ts";
import { SignIns } from "./sign-ins.ts";
import type { StoredSignIn } from "./sign-ins.ts";
import type { Given, Verb } from "./verb.ts";

export const login: Verb = {
  name: "login",
  usage: "login [AGENT…] [--device] [--remote URL]",
  summary: "sign in, for `stdio` and `call` on this machine",
  help: [
    "AGENT…          for these agents only; without, for all",
    "--device        on another device: prints a code to type there",
    "--no-browser    prints where to go, and opens nothing",
    "--remote URL    a doorless elsewhere: its origin, or an agent's MCP URL",
    "--issuer URL    the provider to sign in at, where the agents take several; its host will do",
    "--client-id ID  the public client of doorless at the provider, where one must be named",
    ...CORE_HELP,
  ],
  options: {
    ...CORE_OPTIONS,
    device: { type: "boolean" },
    "no-browser": { type: "boolean" },
    remote: { type: "string" },
    issuer: { type: "string" },
    "client-id": { type: "string" },
  },
  async run(given) {
    const agents = await agentsOf(login, given, given.words);
    const issuer = sharedIssuer(agents, given.text("issuer"));
    const named = given.text("client-id") ?? agents[0]?.clients[issuer];
    try {
      const client = await openNativeClient(issuer, named);
      try {
        return await signIn(given, client, issuer, agents);
      } finally {
        await client.close();
      }
    } catch (error) {
      if (!(error instanceof SignInFailed)) throw error;
      throw new Stop(EXIT.sign_in, `the sign-in at ${issuer} did not work: ${error.message}`);
    }
  },
};

function sharedIssuer(agents: readonly AgentPlace[], named: string | undefined): string {
  const [first] = agents;
  const isEverywhere = (one: string): boolean =>
    agents.every(({ issuers }) => issuers.includes(one));
  const shared = (first?.issuers ?? []).filter(isEverywhere);
  const chosen = shared.filter(
    (one) => named === undefined || one === named || new URL(one).host === named,
  );
  const [only, second] = chosen;
  if (only !== undefined && second === undefined) return only;
  if (shared.length > 0) {
    const why =
      named === undefined
        ? "several providers take sign-ins"
        : `${named} is not where one signs in`;
    throw new Stop(EXIT.usage, `${why}: give --issuer, one of: ${shared.join(" ")}`);
  }
  const each = agents.map(({ agent, issuers }) => `${agent}: ${issuers.join(" ")}`).join("; ");
  throw new Stop(EXIT.usage, `these agents have no provider in common; name some (${each})`);
}

async function signIn(
  given: Given,
  client: NativeClient,
  issuer: string,
  agents: readonly AgentPlace[],
): Promise<number> {
  const wanted = {
    resources: agents.map(({ resource }) => resource),
    scopes: [...new Set(agents.flatMap(({ scopes }) => scopes))],
  };
  const tokens = given.flag("device")
    ? await onDevice(client, wanted)
    : await inBrowser(client, wanted, given.flag("no-browser"));
  if (tokens.refresh_token === undefined) {
    throw new SignInFailed("it gave no refresh token, so nobody would stay signed in");
  }
  const signIns = new SignIns();
  await keep(signIns, toStore(issuer, client.client_id, agents, tokens));
  const who = tokens.name ?? tokens.subject ?? "you";
  const names = agents.map(({ agent }) => agent);
  if (given.flag("json")) {
    printJson({
      issuer,
      subject: tokens.subject ?? null,
      name: tokens.name ?? null,
      agents: names,
    });
  } else print(`signed in as ${who} at ${issuer}, for ${names.join(", ")}`);
  note("restart doorless in your MCP client to see your tools");
  return EXIT.ok;
}

export async function inBrowser(client: NativeClient, wanted: Wanted, quiet: boolean) {
  const loopback = await openLoopback();
  try {
    const { url, state, verifier } = await client.depart(wanted, loopback.redirect_uri);
    note(`sign in here:\n  ${url.href}`);
    if (!quiet) openBrowser(url);
    const arrived = await loopback.came(state).catch((error: unknown) => {
      throw new SignInFailed((error as Error).message);
    });
    return await client.arrive(arrived, state, verifier, wanted);
  } finally {
    loopback.close();
  }
}

async function onDevice(client: NativeClient, wanted: Wanted): Promise<NativeTokens> {
  const way = await client.device(wanted);
  note(`on any device, open\n  ${way.verification_uri}\nand enter the code\n  ${way.user_code}`);
  if (way.verification_uri_complete !== undefined) note(`or open ${way.verification_uri_complete}`);
  return way.wait();
}

function toStore(
  issuer: string,
  client_id: string,
  agents: readonly AgentPlace[],
  tokens: NativeTokens,
): StoredSignIn {
  const resources = agents.map(({ resource, scopes }, i) => {
    const { access_token, expires_ms } = tokens;
    // The first token is the first agent's (RFC 8707 section 2.2).
    return [resource, i === 0 ? { scopes, token: access_token.reveal(), expires_ms } : { scopes }];
  });
  return {
    issuer,
    client_id,
    refresh_token: tokens.refresh_token?.reveal() ?? "",
    subject: tokens.subject,
    name: tokens.name,
    since_ms: Date.now(),
    resources: Object.fromEntries(resources) as StoredSignIn["resources"],
  };
}

// One sign-in per agent: an earlier one for the same agents is over, also at the provider.
async function keep(signIns: SignIns, fresh: StoredSignIn): Promise<void> {
  const replaced: StoredSignIn[] = [];
  await signIns.change((before) => {
    const isSame = (one: StoredSignIn): boolean =>
      Object.keys(one.resources).some((resource) => fresh.resources[resource] !== undefined);
    replaced.push(...before.filter(isSame));
    return [...before.filter((one) => !isSame(one)), fresh];
  });
  await Promise.all(replaced.map(end));
}

/** Ends a sign-in at its provider. True where that was told so. */
export async function end({ issuer, client_id, refresh_token }: StoredSignIn): Promise<boolean> {
  try {
    const client = await openNativeClient(issuer, client_id);
    try {
      await client.revoke(new Secret(refresh_token));
      return true;
    } finally {
      await client.close();
    }
  } catch {
    return false;
  }
}
