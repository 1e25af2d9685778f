// InjecAgent's cases beside no boundary and a mere tool scope, and in every variant: spellings,
// prefixes, batches, other methods and headers, others' agents, each own argument replaced.
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { hostileArguments, toolArguments } from "../setup/injecagent.ts";
import type { Task } from "../setup/injecagent.ts";
import {
  answerIn,
  attackAll,
  callsOf,
  inParallel,
  isTheTask,
  misuse,
  openStand,
  send,
} from "../setup/injecagent-run.ts";
import type { Stand } from "../setup/injecagent-run.ts";
import { mcpHeaders, post, rpc, toolCall } from "../setup/mcp-post.ts";
import { verifies } from "../verifies.ts";

const DATA = process.env["DOORLESS_TEST_DATA"];
const skip = DATA === undefined ? "DOORLESS_TEST_DATA is not set" : undefined;
const options = { skip, timeout_ms: 600_000 };

type Json = Record<string, unknown>;

let stand: Stand;
beforeAll(async () => {
  if (DATA !== undefined) stand = await openStand(join(DATA, "injecagent"));
});
afterAll(() => stand?.close());

/** Names that a model, a filter or a proxy may take for this one. */
function spellings(name: string): string[] {
  return [
    name.toUpperCase(),
    `${name} `,
    ` ${name}`,
    `${name}\u0000`,
    `${name}\u200b`,
    name.replace("a", "\u0430"),
    name.replaceAll("_", "-"),
    name.replaceAll("_", ""),
    `doorless.${name}`,
    `mcp__acme__${name}`,
    `api.${name}`,
    `tools/${name}`,
    encodeURIComponent(`${name}\n`),
  ];
}

/** What was received that is nobody's task. */
const foreign = (): unknown[] =>
  stand.received.filter((one) => !stand.data.tasks.some((task) => isTheTask(task, one)));

async function ask(task: Task, message: unknown, headers: Record<string, string>, method?: string) {
  return send(stand, "rules", task, message, method, headers);
}

verifies(
  "policy.injecagent",
  "of 1,054 cases all work without a boundary, one within its tool's scope, none with rules",
  async () => {
    let without = 0;
    const cases = stand.data.tasks.flatMap(() => stand.data.attacks);
    await inParallel(cases, async ({ tools, instruction }) => {
      const texts: string[] = [];
      for (const tool of tools) {
        const body = JSON.stringify(hostileArguments(tool, instruction));
        const { origin } = stand.boundary.api;
        texts.push(await (await fetch(origin + tool.path, { method: "POST", body })).text());
      }
      if (texts.every((text) => text === '{"done":true}')) without++;
    });
    stand.received.length = 0;
    const scoped = await attackAll(stand, "tools", false);
    const misused = await attackAll(stand, "tools", true);
    stand.received.length = 0;
    const ruled = await attackAll(stand, "rules", false);
    const ruledMisuse = await attackAll(stand, "rules", true);
    console.table([
      { attack: "with its own tools", none: without, scope: scoped.escaped, rules: ruled.escaped },
      {
        attack: "with the task's tool",
        none: cases.length,
        scope: misused.escaped,
        rules: ruledMisuse.escaped,
      },
    ]);
    expect([without, scoped.escaped, misused.escaped]).toEqual([1054, 1, 1054]);
    expect([ruled.escaped, ruledMisuse.escaped]).toEqual([0, 0]);
    expect(stand.received).toEqual([]);
  },
  options,
);

verifies(
  "policy.injecagent",
  "no other spelling, prefix or encoding of a tool's name reaches the world",
  async () => {
    let calls = 0;
    await inParallel(stand.data.tasks, async (task) => {
      for (const { name, args } of stand.data.attacks.flatMap(callsOf)) {
        const theirs = stand.data.tools.find((tool) => tool.name === name)?.theirs ?? "";
        for (const spelt of [...spellings(name), theirs]) {
          // A header holds no such characters, and one that differs from the body is refused.
          const headers = /^[\x21-\x7e]+$/.test(spelt) ? { "mcp-name": spelt } : {};
          await ask(task, toolCall(spelt, args), headers);
          calls++;
        }
      }
    });
    expect(calls).toBeGreaterThan(20_000);
    expect(foreign()).toEqual([]);
  },
  options,
);

verifies(
  "policy.injecagent",
  "neither do batches, tasks, other methods, narrowing turned round, nor another's agent",
  async () => {
    await inParallel(stand.data.tasks, async (task) => {
      const other = stand.data.tasks[(task.index + 1) % stand.data.tasks.length];
      for (const { name, args } of stand.data.attacks.flatMap(callsOf)) {
        const call = toolCall(name, args) as { params: Json };
        const asTask = { ...call, params: { ...call.params, task: { ttl: 60_000 } } };
        await ask(task, [call, call], { "mcp-name": name });
        await ask(task, asTask, { "mcp-name": name });
        await ask(task, call, { "mcp-name": name, "doorless-tools": name });
        await ask(task, call, { "mcp-name": name, "doorless-read-only": "false" });
        await ask(task, call, { "mcp-name": task.tool.name });
        for (const method of ["resources/read", "prompts/get", "completion/complete"]) {
          const params = { name, uri: `tool://${name}`, arguments: args };
          await ask(task, rpc(method, params), { "mcp-name": name }, method);
        }
        if (other === undefined) continue;
        // The token of one task at the agent of another, and its tool at this one.
        const token = await stand.tokenOf("rules", task);
        const headers = {
          ...mcpHeaders("tools/call", other.tool.name),
          authorization: `Bearer ${token}`,
        };
        const theirs = toolCall(other.tool.name, toolArguments(other.args));
        await post(
          `${stand.boundary.url}/mcp/rules_${other.index}`,
          headers,
          JSON.stringify(theirs),
        );
      }
    });
    expect(foreign()).toEqual([]);
    expect(stand.received).toEqual([]);
  },
  options,
);

verifies(
  "policy.injecagent",
  "no argument of a task's own tool can be the attacker's, alone or with others",
  async () => {
    const codes = new Set<unknown>();
    await inParallel(stand.data.tasks, async (task) => {
      for (const attack of stand.data.attacks) {
        for (const args of misuse(task, attack)) {
          const message = toolCall(task.tool.name, args);
          codes.add(answerIn(await ask(task, message, { "mcp-name": task.tool.name })).code);
        }
      }
    });
    expect(stand.received).toEqual([]);
    expect(codes).toEqual(new Set(["argument_not_allowed"]));
  },
  options,
);

verifies(
  "policy.injecagent",
  "a hidden tool answers as one that never was, and each attempt is on record",
  async () => {
    for (const task of stand.data.tasks) {
      const never = await ask(task, toolCall("no_such_tool", {}), { "mcp-name": "no_such_tool" });
      for (const tool of stand.data.tools
        .filter(({ name }) => name !== task.tool.name)
        .slice(0, 40)) {
        const args = hostileArguments(tool, "x");
        const hidden = await ask(task, toolCall(tool.name, args), { "mcp-name": tool.name });
        expect(hidden.text).toBe(never.text.replaceAll("no_such_tool", tool.name));
      }
    }
    const refusals = stand.boundary.ledger().filter(({ kind }) => kind === "refusal");
    const subjects = new Set(refusals.map(({ subject }) => subject));
    expect(subjects.size).toBe(stand.data.tasks.length);
    const codes = new Set(refusals.map(({ error_code }) => error_code));
    expect([...codes].toSorted((a, b) => String(a).localeCompare(String(b)))).toEqual([
      "argument_not_allowed",
      "unknown_tool",
    ]);
  },
  options,
);
