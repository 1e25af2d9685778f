// `call`: one tool call as the person who is signed in, or whose token is in DOORLESS_TOKEN;
// --dry-run decides only.
import {
  Client,
  SdkHttpError,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from "@modelcontextprotocol/client";
import { VERSION } from "../main.ts";
import type { DryRun } from "../gate/call.ts";
import { askCore, CORE_HELP, CORE_OPTIONS, placeOf } from "./core.ts";
import { EXIT, note, print, printJson, Stop } from "./output.ts";
import { mcpUrl, tokenFor } from "./stdio.ts";
import { jsonOf, usageError, wordsOf } from "./verb.ts";
import type { Given, Verb } from "./verb.ts";

export const call: Verb = {
  name: "call",
  usage: "call TOOL [JSON] --agent AGENT [--dry-run]",
  summary: "one call, as who is signed in; or with DOORLESS_TOKEN",
  help: [
    "--agent AGENT   the agent to call it through",
    "--dry-run       the decision, and the request as it would be sent; nothing runs",
    "--remote URL    a doorless elsewhere",
    ...CORE_HELP,
  ],
  options: {
    ...CORE_OPTIONS,
    agent: { type: "string" },
    remote: { type: "string" },
    "dry-run": { type: "boolean" },
  },
  async run(given) {
    const [tool = "", text = "{}"] = wordsOf(call, given, "TOOL", "JSON?");
    const agent = given.text("agent");
    if (agent === undefined) throw usageError(call, "--agent is missing");
    const args = jsonOf(call, "JSON", text);
    if (args === null || typeof args !== "object" || Array.isArray(args)) {
      throw usageError(call, "the arguments are not a JSON object");
    }
    const named = args as Record<string, unknown>;
    return given.flag("dry-run")
      ? dryRun(given, agent, tool, named)
      : callTool(given, agent, tool, named);
  },
};

async function callTool(
  given: Given,
  agent: string,
  name: string,
  args: Record<string, unknown>,
): Promise<number> {
  const token = await tokenFor(call, given, agent);
  const headers = { authorization: `Bearer ${token.reveal()}` };
  const url = mcpUrl(call, given, agent);
  const client = new Client(
    { name: "doorless-call", version: VERSION },
    { versionNegotiation: { mode: "auto" } },
  );
  try {
    await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }));
    const result = await client.callTool({ name, arguments: args });
    if (given.flag("json")) printJson(result);
    else if (result.isError === true) note(textOf(result.content));
    else print(JSON.stringify(result.structuredContent ?? textOf(result.content), null, 2));
    if (result.isError !== true) return EXIT.ok;
    return ran(result.structuredContent) ? EXIT.tool_failed : EXIT.no;
  } catch (error) {
    throw failed(error);
  } finally {
    await client.close();
  }
}

// A refusal is "no"; what reached the API and broke is a tool that failed.
function ran(content: unknown): boolean {
  const { error } = (content ?? {}) as { error?: { code?: string } };
  const codes = ["downstream_error", "downstream_unavailable", "timeout", "contract_drift"];
  return codes.includes(error?.code ?? "");
}

function textOf(content: unknown): string {
  const blocks = Array.isArray(content) ? (content as { text?: string }[]) : [];
  return blocks.map((block) => block.text ?? "").join("\n");
}

function failed(error: unknown): Stop {
  const message = error instanceof Error ? error.message : "unknown error";
  if (error instanceof UnauthorizedError) {
    return new Stop(EXIT.sign_in, "sign-in needed: the token was not accepted");
  }
  if (error instanceof SdkHttpError) {
    const signIn = error.data.status === 401;
    return new Stop(signIn ? EXIT.sign_in : EXIT.unreachable, message);
  }
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  // A JSON-RPC error is an answer: no. Anything else is a connection that is not there.
  if (typeof code === "number") return new Stop(EXIT.no, message);
  const why = cause instanceof Error ? `: ${cause.message}` : "";
  return new Stop(EXIT.unreachable, `${message}${why}`);
}

async function dryRun(
  given: Given,
  agent: string,
  tool: string,
  args: Record<string, unknown>,
): Promise<number> {
  const token = (await tokenFor(call, given, agent)).reveal();
  const question = { agent, token, tool, args };
  const answer = (await askCore(placeOf(given), "/dry-run", question)) as
    | DryRun
    | { not_entered: string; reason: string };
  if ("not_entered" in answer) {
    throw new Stop(EXIT.sign_in, `${answer.not_entered}: ${answer.reason}`);
  }
  if (given.flag("json")) printJson(answer);
  else if (answer.allowed && answer.request !== undefined) {
    const { method, path, body } = answer.request;
    print(`would send ${method} ${answer.origin ?? ""}${path}`);
    if (body !== undefined) print(body);
    print(`allowed by ${answer.rule ?? ""}`);
  } else note(`${answer.error?.code ?? "refused"}: ${answer.error?.message ?? ""}`);
  return answer.allowed ? EXIT.ok : EXIT.no;
}
