// `npm run docs`: writes the pages that the source generates. A pin fails where one is stale.
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { toolJsonSchema } from "../src/catalog/tool-file.ts";
import { configJsonSchema } from "../src/config/schema.ts";
import { errorTable } from "../src/kernel/errors.ts";
import type { ErrorCode, Fixer, Retry } from "../src/kernel/errors.ts";

/** Where on the path of a call an error arises (DESIGN section 4). */
const PLACES: Readonly<Record<ErrorCode, string>> = {
  parse_error: "Before the gate: reading the request",
  request_too_large: "Before the gate: reading the request",
  forbidden_origin: "Before the gate: the Host and Origin headers",
  invalid_token: "Step 1, who",
  identity_unavailable: "Steps 1, who, and 2, alive; again at 8 and 11",
  session_not_found: "Step 2, alive",
  locked: "Step 2, alive, and, for a tool, step 3, door",
  claims_missing: "Step 2, alive",
  agent_in_use: "Step 2, alive",
  capacity: "Step 2, alive, before step 5 where a call has a key, and step 6, limits",
  unknown_tool: "Step 3, door",
  invalid_arguments: "Step 4, arguments",
  argument_not_allowed: "Step 4, arguments: rules of the agent and of the roles",
  idempotency_conflict: "Before step 5: sent again",
  answer_lost: "Before step 5: sent again",
  confirmation_required: "Step 5, approval",
  confirmation_declined: "Step 5, approval",
  rate_limited: "Step 2, alive, and step 6, limits",
  loop_detected: "Step 6, limits",
  audit_unavailable: "Step 7, intent",
  login_required: "The stdio bridge, before anything is sent",
  connection_required: "Step 8, as whom",
  connection_damaged: "Step 8, as whom",
  reauth_required: "Step 8, as whom",
  delegation_refused: "Step 8, as whom",
  delegation_unavailable: "Step 8, as whom",
  identity_mismatch: "Step 8, as whom",
  access_revoked: "Steps 8 to 11, whenever it ends",
  timeout: "Step 9, run",
  cancelled: "Step 8, as whom, and step 9, run",
  downstream_error: "Step 9, run",
  downstream_rate_limited: "Step 9, run",
  downstream_unavailable: "Step 9, run",
  egress_refused: "Step 9, run",
  credential_exposed: "Step 9, run",
  tool_error: "Step 9, run: tools written in code",
  code_error: "Step 9, run: code that the agent wrote",
  resource_limit: "Step 9, run: tools written in code, and code that the agent wrote",
  isolation_unavailable: "At the start, and step 9, run",
  contract_drift: "Step 10, contract",
  result_too_large: "Step 10, contract",
  outcome_unrecorded: "Step 11, outcome",
  internal: "Any step",
};

const RETRY: Readonly<Record<Retry, string>> = {
  never: "`never`: the same call fails the same way",
  after: "`after`: wait for `retry_after_ms` where it is given, then try again",
  after_user_action: "`after_user_action`: once the user has done something",
};

const FIXER: Readonly<Record<Fixer, string>> = {
  agent: "the agent, with another call",
  user: "the user",
  operator: "the operator of this server",
};

const HEAD = `# Errors

Generated from \`src/kernel/errors.ts\` by \`npm run docs\`. \`doorless errors\` prints the table.

Every refusal and every failure of a call is one of these. An agent receives it as a tool result
with \`isError: true\`, one line of text (\`CODE: message\`) and \`structuredContent.error\`:

| field | says |
|---|---|
| \`code\` | which row of this page |
| \`message\` | what it means, for people and models; never a stack, a token or the API's answer |
| \`retry\` | \`never\`, \`after\` or \`after_user_action\` |
| \`retry_after_ms\` | how long to wait, where that is known |
| \`who_can_fix\` | \`agent\`, \`user\` or \`operator\` |
| \`effect\` | what happened: \`none\`, \`unknown\` or \`done\`; a read is always \`none\` |
| \`call_id\` | the call's id, in the audit log and in the API's own log |
| \`details\` | fields, limits or a status code, where they help |

Where \`effect\` is \`unknown\` or \`done\`, \`retry\` is never \`after\`.

A *refusal* said no and nothing ran: steps 1 to 8 of the path. A *failure* ran and broke. What
reaches the client as an HTTP status or as a JSON-RPC error says so below.
`;

function wireText(code: ErrorCode): string {
  const { wire } = errorTable[code];
  if (wire === "result") return "a tool result with `isError: true`, on HTTP 200";
  if (wire === "protocol") return "JSON-RPC error -32602, `Unknown tool: NAME`";
  if (code === "invalid_token") return "HTTP 401 with `WWW-Authenticate`";
  return code === "parse_error" ? "HTTP 400 with JSON-RPC error -32700" : `HTTP ${wire}`;
}

function section(code: ErrorCode): string {
  const { message, retry, who_can_fix, effects, outcome } = errorTable[code];
  return [
    `## ${code}`,
    "",
    message,
    "",
    "| | |",
    "|---|---|",
    `| where | ${PLACES[code]} |`,
    `| reaches the client as | ${wireText(code)} |`,
    `| retry | ${RETRY[retry]} |`,
    `| who can fix it | ${FIXER[who_can_fix]} |`,
    `| effect | ${effects.map((effect) => `\`${effect}\``).join(", ")} |`,
    `| outcome in the audit log | \`${outcome}\` |`,
    "",
  ].join("\n");
}

function errorsPage(): string {
  const codes = Object.keys(errorTable) as ErrorCode[];
  const contents = [
    "| code | retry | who can fix | outcome |",
    "|---|---|---|---|",
    ...codes.map((code) => {
      const { retry, who_can_fix, outcome } = errorTable[code];
      return `| [\`${code}\`](#${code}) | ${retry} | ${who_can_fix} | ${outcome} |`;
    }),
    "",
  ].join("\n");
  return [HEAD, contents, ...codes.map(section)].join("\n");
}

/** Each generated file, by its path in the repository. */
export function generatedDocs(): ReadonlyMap<string, string> {
  return new Map([
    ["docs/errors.md", errorsPage()],
    ["docs/mcp.config.schema.json", `${JSON.stringify(configJsonSchema(), null, 2)}\n`],
    ["docs/tool.schema.json", `${JSON.stringify(toolJsonSchema(), null, 2)}\n`],
  ]);
}

if (import.meta.main) {
  const root = resolve(import.meta.dirname, "..");
  for (const [path, text] of generatedDocs()) {
    writeFileSync(resolve(root, path), text);
    console.log(path);
  }
}
