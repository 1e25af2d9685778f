// `explain`: each tool, allowed or not, and the rule (file:line) that decided; or who can call one.
import type { LimitsConfig, Rate } from "../config/limits.ts";
import { askExplain, askWho } from "../console/questions.ts";
import { askHouse, CORE_HELP, CORE_OPTIONS, placeOf } from "./core.ts";
import { EXIT, paint, print, printJson, table } from "./output.ts";
import { whoOf, WHO_HELP, WHO_OPTIONS } from "./surface.ts";
import { jsonOf, usageError, wordsOf } from "./verb.ts";
import type { Given, Verb } from "./verb.ts";

export const explain: Verb = {
  name: "explain",
  usage: "explain AGENT --as PERSON [--tool T] [--args JSON] | explain --tool T",
  summary: "why a tool is there or not, and the rule that decided; who can call a tool",
  help: [
    ...WHO_HELP,
    "--tool T        only this tool; exit 1 where it is not allowed",
    "--args JSON     arguments to judge as well, of a session that has read nothing yet",
    ...CORE_HELP,
  ],
  options: {
    ...CORE_OPTIONS,
    ...WHO_OPTIONS,
    tool: { type: "string" },
    args: { type: "string" },
  },
  async run(given) {
    const [agent] = wordsOf(explain, given, "AGENT?");
    return agent === undefined ? whoCan(given) : why(given, agent);
  },
};

async function why(given: Given, agent: string): Promise<number> {
  const { who, find, given: named } = whoOf(explain, given);
  const tool = given.text("tool");
  const text = given.text("args");
  const args = text === undefined ? undefined : jsonOf(explain, "--args is", text);
  const question = { agent, who, ...(tool ? { tool } : {}), ...(text ? { args } : {}) };
  const answer = await askHouse(placeOf(given), "/explain", question, (house) =>
    askExplain(house, agent, find(house.config, named as never), tool, args),
  );
  if (given.flag("json")) printJson(answer);
  else {
    const rows = answer.tools.map((one) => [
      one.allowed ? paint("green", "yes") : paint("red", "no"),
      one.approve === undefined ? one.tool : `${one.tool} (each call approved by a human)`,
      one.rule,
      one.why,
    ]);
    print(table(["ALLOWED", "TOOL", "RULE", "WHY"], rows));
    const asked = answer.tools.flatMap(({ tool: name, arguments: limits = [] }) =>
      limits.map(({ path, allowed, rule }) => [
        name,
        path || "(the call)",
        rule,
        allowed ?? "confidential",
      ]),
    );
    if (asked.length > 0) print(`\n${table(["TOOL", "ARGUMENT", "RULE", "ALLOWED"], asked)}`);
  }
  if (!given.flag("json")) print(`\n${limitsText(answer.limits)}`);
  const refused = tool !== undefined && answer.tools.some((one) => !one.allowed);
  return refused ? EXIT.no : EXIT.ok;
}

function limitsText(limits: LimitsConfig): string {
  const said = ({ calls, per_s, burst }: Rate): string => `${calls} per ${per_s} s, burst ${burst}`;
  const { calls_per_user, calls_per_user_and_tool, budget_per_user } = limits;
  return (
    `Calls of one person: ${said(calls_per_user)}; of one tool ${said(calls_per_user_and_tool)}; ` +
    `${budget_per_user.calls} a day. All limits: --json, docs/limits.md`
  );
}

async function whoCan(given: Given): Promise<number> {
  const tool = given.text("tool");
  if (tool === undefined) throw usageError(explain, "AGENT or --tool is missing");
  const answer = await askHouse(placeOf(given), "/who", { tool }, (house) => askWho(house, tool));
  if (given.flag("json")) printJson(answer);
  else if (answer.callers.length === 0) print("nobody");
  else {
    const rows = answer.callers.map((c) => [c.agent, c.role, c.people.join(" ") || "-", c.rule]);
    print(table(["AGENT", "ROLE", "PEOPLE", "RULE"], rows));
  }
  return EXIT.ok;
}
