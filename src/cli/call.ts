// `call`: one tool call as the person who is signed in, or whose token is in DOORLESS_TOKEN;
// --dry-run decides only.
import {
  Client,
  ProtocolError,
  SdkHttpError,
  StreamableHTTPClientTransport,
} from "@modelcontextprotocol/client";
import type { DryRun } from "../gate/call.ts";
import { errorTable } from "../kernel/errors.ts";
import type { Retry, ToolError } from "../kernel/errors.ts";
import { systemErrorInWords } from "../kernel/in-words.ts";
import { own } from "../kernel/own.ts";
import { VERSION } from "../kernel/version.ts";
import { noAgent } from "./agents.ts";
import { askCore, CORE_HELP, CORE_OPTIONS, placeOf } from "./core.ts";
import { EXIT, note, print, printJson, Stop } from "./output.ts";
import { mcpUrl, tokenFor } from "./stdio.ts";
import { jsonOf, usageError, wordsOf } from "./verb.ts";
import type { Given, Verb } from "./verb.ts";

export const call: Verb = {
  name: "call",
  usage: "call TOOL [JSON] --agent AGENT [--dry-run] [--idempotency-key KEY]",
  summary: "one call, as who is signed in; or with DOORLESS_TOKEN",
  help: [
    "--agent AGENT   the agent to call it through",
    "--dry-run       the decision, and the request as it would be sent; nothing runs",
    "--idempotency-key KEY   of a write: sent again with it, it runs once and is answered alike",
    "--remote URL    a doorless elsewhere",
    ...CORE_HELP,
  ],
  options: {
    ...CORE_OPTIONS,
    agent: { type: "string" },
    remote: { type: "string" },
    "dry-run": { type: "boolean" },
    "idempotency-key": { type: "string" },
  },
  async run(given) {
    const [tool = "", text = "{}"] = wordsOf(call, given, "TOOL", "JSON?");
    const agent = given.text("agent");
    if (agent === undefined) throw usageError(call, "--agent is missing");
    const args = jsonOf(call, "the arguments are", text);
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
    const key = given.text("idempotency-key");
    const meta = key === undefined ? {} : { _meta: { "doorless/idempotency_key": key } };
    const result = await client.callTool({ name, arguments: args, ...meta });
    if (given.flag("json")) printJson(result);
    else if (result.isError === true) note(textOf(result.content));
    else print(JSON.stringify(result.structuredContent ?? textOf(result.content), null, 2));
    if (result.isError !== true) return EXIT.ok;
    const { error } = (result.structuredContent ?? {}) as { error?: { code?: string } };
    return exitOf(error?.code);
  } catch (error) {
    throw failed(error, url, () => noAgent(call, given, agent));
  } finally {
    await client.close();
  }
}

const UNAUTHENTICATED: Readonly<Record<Retry, number>> = {
  after_user_action: EXIT.sign_in,
  after: EXIT.unreachable,
  never: EXIT.no,
};

/** What a script is told of an error: by its outcome, as the log has it. */
export function exitOf(code: string | undefined): number {
  const row = code === undefined ? undefined : own(errorTable, code);
  switch (row?.outcome) {
    case "refused":
    case "rate_limited":
    case "revoked":
      return EXIT.no;
    case "auth_failed":
      return UNAUTHENTICATED[row.retry];
    default:
      return EXIT.tool_failed;
  }
}

function textOf(content: unknown): string {
  const blocks = Array.isArray(content) ? (content as { text?: string }[]) : [];
  return blocks.map((block) => block.text ?? "").join("\n");
}

function failed(error: unknown, url: URL, noSuch: () => Stop): Stop {
  // A JSON-RPC error is an answer: no.
  if (error instanceof ProtocolError) return new Stop(EXIT.no, error.message);
  if (!(error instanceof SdkHttpError)) {
    const why = systemErrorInWords(error);
    return new Stop(EXIT.unreachable, `${url.href} cannot be reached: ${why}`);
  }
  const { status, text } = error.data;
  const said = errorIn(text);
  if (said !== undefined) return new Stop(exitOf(said.code), `${said.code}: ${said.message}`);
  if (status === 401) return new Stop(EXIT.sign_in, "sign-in needed: the token was not accepted");
  if (status === 404) return noSuch();
  return new Stop(EXIT.unreachable, `${url.href} answered with HTTP status ${status}`);
}

// What a doorless refuses before it is MCP.
function errorIn(body: unknown): Pick<ToolError, "code" | "message"> | undefined {
  try {
    const { error } = JSON.parse(String(body)) as { error?: Partial<ToolError> };
    const { code, message } = error ?? {};
    if (code === undefined || own(errorTable, code) === undefined) return undefined;
    return { code, message: String(message) };
  } catch {
    return undefined;
  }
}

async function dryRun(
  given: Given,
  agent: string,
  tool: string,
  args: Record<string, unknown>,
): Promise<number> {
  if (given.text("remote") !== undefined) {
    throw usageError(call, "--dry-run asks the doorless of this machine, not one at --remote");
  }
  const token = (await tokenFor(call, given, agent)).reveal();
  const question = { agent, token, tool, args };
  const answer = (await askCore(placeOf(given), "/dry-run", question)) as
    | DryRun
    | { not_entered: ToolError };
  if ("not_entered" in answer) {
    const { code, message } = answer.not_entered;
    throw new Stop(exitOf(code), `${code}: ${message}`);
  }
  if (given.flag("json")) printJson(answer);
  else if (answer.allowed) print(wouldHappen(answer));
  else note(`${answer.error?.code ?? "refused"}: ${answer.error?.message ?? ""}`);
  return answer.allowed ? EXIT.ok : EXIT.no;
}

function wouldHappen({ tool, request, origin, rule }: DryRun): string {
  const what =
    request === undefined
      ? [`would run the code of ${tool}; what that sends is known when it runs`]
      : [`would send ${request.method} ${origin ?? ""}${request.path}`, request.body ?? ""];
  return [...what, `allowed by ${rule ?? ""}`].filter((line) => line !== "").join("\n");
}
