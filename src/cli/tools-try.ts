// `tools try`: one run of a code tool for its author: a real worker at the configured level, a
// person who is nobody, and an API that answers what the author wrote down.
import { mismatches } from "../contract/schema.ts";
import { project } from "../contract/projection.ts";
import { refusal, refusalToError } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import type { Credential } from "../kernel/principal.ts";
import { no, ok } from "../kernel/result.ts";
import { Secret } from "../kernel/secret.ts";
import type { LogLine } from "../sandbox/run-tool.ts";
import { CORE_HELP, CORE_OPTIONS } from "./core.ts";
import { EXIT, note, printJson, Stop } from "./output.ts";
import { withTool } from "./tools-show.ts";
import { jsonOf, readNamed, usageError, wordsOf } from "./verb.ts";
import type { Given, Verb } from "./verb.ts";

export const toolsTry: Verb = {
  name: "tools try",
  usage: "tools try TOOL [JSON] [--answers FILE] [--config FILE]",
  summary: "run a code tool once, as nobody, against answers from a file",
  json: "nothing else: it prints JSON as it is",
  help: [
    "TOOL            its name, or its file",
    "JSON            its arguments (default: {})",
    '--answers FILE  {"GET /crm/deals": {...}, "GET /crm/deals/42": {...}}: JSON by request',
    ...CORE_HELP,
  ],
  options: { ...CORE_OPTIONS, answers: { type: "string" } },
  async run(given) {
    const [named = "", text = "{}"] = wordsOf(toolsTry, given, "TOOL", "JSON?");
    const input = jsonOf(toolsTry, "the arguments are", text) as Record<string, unknown>;
    const answers = answersOf(given);
    return withTool(given, named, async (tool, _house, sandbox) => {
      if (tool.kind !== "code" || sandbox === undefined) {
        throw new Stop(EXIT.usage, `${tool.name} is not written in code`);
      }
      const wrong = mismatches(tool.input_schema, input);
      if (wrong.length > 0) {
        const said = wrong.map(({ path, expected }) => `${path || "/"}: expected ${expected}`);
        throw usageError(toolsTry, `the arguments do not fit:\n${said.join("\n")}`);
      }
      const requests: string[] = [];
      const log: LogLine[] = [];
      const ran = await sandbox.runTool({
        tool,
        input,
        owner: { credential: NOBODY, user: "nobody", session: "try", rights: "none" },
        signal: new AbortController().signal,
        watch: undefined,
        log: (line) => log.push(line),
        request: async ({ method, path, operation }) => {
          requests.push(`${method} ${path}`);
          const [bare = path] = path.split("?");
          const body = answers[`${method} ${path}`] ?? answers[`${method} ${bare}`];
          const known = body ?? answers[operation];
          if (known === undefined) return no(unanswered(`${method} ${bare}`));
          return ok({ status: 200, request_id: "try", body: known });
        },
      });
      const { value, drift } = project(tool.output, ran.ok ? ran.value : {});
      const failed = ran.ok ? drift.map(({ path, expected }) => ({ path, expected })) : undefined;
      const error = ran.ok ? undefined : refusalToError(ran.refusal);
      printJson({
        ...(ran.ok && drift.length === 0 ? { result: value } : { error: error ?? failed }),
        requests,
        log,
      });
      if (!ran.ok && ran.refusal.cause !== undefined) note(ran.refusal.cause);
      return ran.ok && drift.length === 0 ? EXIT.ok : EXIT.tool_failed;
    });
  },
};

/** Whom the worker is said to belong to; nothing verified him, and no API will see him. */
const NOBODY: Credential = {
  principal: {
    issuer: "https://nowhere.invalid",
    subject: "nobody",
    name: "Nobody",
    tenant: undefined,
    roles: [],
    actor_chain: [],
  },
  issuer_name: "nowhere",
  agent: "nobody",
  client_id: "doorless-try",
  scopes: [],
  family: undefined,
  issued_at_s: 0,
  expires_at_ms: 0,
  token_digest: "none",
  incomplete: undefined,
  proof: new Secret("there is no token"),
};

function unanswered(request: string): Refusal {
  const reason = `--answers has none for ${request}: add it.`;
  return refusal("downstream_unavailable", { reason });
}

function answersOf(given: Given): Readonly<Record<string, unknown>> {
  const file = given.text("answers");
  if (file === undefined) return {};
  const value = jsonOf(toolsTry, "--answers is", readNamed(toolsTry, "--answers", file));
  if (value !== null && typeof value === "object" && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw usageError(toolsTry, "--answers is one object: an answer for each request");
}
