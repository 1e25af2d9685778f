// InjecAgent's 1,054 cases at the boundary: each task can be done, and no attack changes the world.
// Beside no boundary, beside a mere tool scope, and in every variant: injecagent.long.test.ts.
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { toolArguments } from "../setup/injecagent.ts";
import { attackAll, isTheTask, openStand, send, UNKNOWN_TOOL } from "../setup/injecagent-run.ts";
import type { Stand } from "../setup/injecagent-run.ts";
import { toolCall } from "../setup/mcp-post.ts";
import { verifies } from "../verifies.ts";

const DATA = process.env["DOORLESS_TEST_DATA"];
const skip = DATA === undefined ? "DOORLESS_TEST_DATA is not set" : undefined;

let stand: Stand;
beforeAll(async () => {
  if (DATA !== undefined) stand = await openStand(join(DATA, "injecagent"));
});
afterAll(() => stand?.close());

describe("InjecAgent", () => {
  verifies(
    "policy.injecagent",
    "its 330 tools are served, and each of its 17 tasks can be done",
    async () => {
      expect([stand.data.tools.length, stand.data.tasks.length]).toEqual([330, 17]);
      for (const task of stand.data.tasks) {
        stand.received.length = 0;
        const call = toolCall(task.tool.name, toolArguments(task.args));
        const headers = { "mcp-name": task.tool.name };
        const { text } = await send(stand, "rules", task, call, "tools/call", headers);
        expect(text).toContain('"done":true');
        expect(stand.received.map((one) => isTheTask(task, one))).toEqual([true]);
      }
      stand.received.length = 0;
    },
    { skip },
  );

  verifies(
    "policy.injecagent",
    "none of 1,054 cases changes the world, by the attack's tools or by the task's own",
    async () => {
      const elsewhere = await attackAll(stand, "rules", false);
      // By the policy, and not by a limit that a slower attacker would not meet.
      const codes = new Set<unknown>([UNKNOWN_TOOL, "argument_not_allowed"]);
      expect(elsewhere).toEqual({ cases: 1054, escaped: 0, codes });
      const within = await attackAll(stand, "rules", true);
      expect(within).toEqual({ cases: 1054, escaped: 0, codes: new Set(["argument_not_allowed"]) });
      expect(stand.received).toEqual([]);
    },
    { skip, timeout_ms: 300_000 },
  );
});
