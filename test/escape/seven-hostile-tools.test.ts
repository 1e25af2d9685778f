// Seven hostile tools at once, and fifty other users who notice nothing; the caps, and what is
// ended when its session may not go on.
import { afterAll, beforeAll, describe, expect } from "vitest";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { toolText } from "../setup/code.ts";
import { LEVELS } from "../setup/levels.ts";
import { callTool } from "../setup/mcp-post.ts";
import { verifies } from "../verifies.ts";

const HOSTILE: Readonly<Record<string, string>> = {
  loops: "for (;;) {}",
  hoards: "const all = []; for (;;) all.push(new Array(1e5).fill({}));",
  buffers: "const all = []; for (;;) all.push(new Uint8Array(8e6).fill(1));",
  floods: 'for (;;) log("x".repeat(10000));',
  asks: 'await Promise.all(Array.from({ length: 1000 }, () => api.request("GET /items")));',
  answers: 'return { value: "x".repeat(50_000_000) };',
  ticks: `
    for (let i = 0; i < 1e5; i++) setInterval(() => { for (let k = 0; k < 1e6; k++); }, 0);
    await new Promise(() => undefined);`,
};
const PATIENT = { limits: "{ timeout_ms: 60000 }" };
const USERS = 50;

for (const { level, skip } of LEVELS) {
  describe(`at level ${level}`, () => {
    let boundary: Boundary;

    beforeAll(async () => {
      if (skip !== undefined) return;
      const hostile = Object.entries(HOSTILE).map(([name, run]) => [name, toolText(name, { run })]);
      boundary = await openBoundary({
        code: {
          ...(Object.fromEntries(hostile) as Record<string, string>),
          honest: toolText("honest", {
            change: PATIENT,
            run: 'const { name } = await api.request("GET /items"); return { value: name };',
          }),
        },
        isolation: { code_tools: level, memory_mib_max: 160, cpu_ms_max: 5000 },
      });
    }, 60_000);

    afterAll(async () => {
      if (skip === undefined) await boundary.close();
    });

    const call = (name: string, as: string, args: object = {}) =>
      callTool(`${boundary.url}/mcp/desk`, `Bearer ${as}`, name, args);

    verifies(
      ["sandbox.tool-fails", "sandbox.escape"],
      "while seven hostile tools run, fifty other users' calls all succeed",
      async () => {
        const attackers = Object.keys(HOSTILE).map(async (name) => {
          const token = await boundary.token("desk", { sub: `mallory-${name}`, sid: `m-${name}` });
          return [name, (await call(name, token)).error?.code];
        });
        const others = Array.from({ length: USERS }, async (_, i) => {
          const token = await boundary.token("desk", { sub: `user-${i}`, sid: `s-${i}` });
          const [code, data] = await Promise.all([
            call("honest", token),
            call("item_patient", token),
          ]);
          return [code.error?.code ?? code.result, data.error?.code ?? data.result];
        });
        const succeeded = await Promise.all(others);
        const both = [{ value: "a lamp" }, { id: "7", name: "a lamp" }];
        expect(succeeded).toEqual(Array.from({ length: USERS }, () => both));
        const ended = Object.fromEntries(await Promise.all(attackers)) as Record<string, string>;
        for (const code of Object.values(ended)) {
          expect(code).toMatch(/^(?:timeout|resource_limit|tool_error)$/);
        }
        expect(Object.keys(ended)).toHaveLength(7);
      },
      { skip, timeout_ms: 120_000 },
    );
  });
}

describe("caps on workers", () => {
  let boundary: Boundary;

  beforeAll(async () => {
    boundary = await openBoundary({
      code: {
        waits: toolText("waits", {
          change: PATIENT,
          run: 'const { name } = await api.request("GET /items"); return { value: name };',
        }),
        other: toolText("other"),
      },
      isolation: {
        code_tools: "process",
        workers_max: 3,
        workers_per_user_max: 2,
        workers_ready: 0,
      },
    });
  });

  afterAll(() => boundary.close());

  const call = (name: string, as: string) =>
    callTool(`${boundary.url}/mcp/desk`, `Bearer ${as}`, name, {});

  /** Calls that are held at the API until `go`; resolves once that many requests have arrived. */
  async function held(tokens: readonly string[]) {
    const gate = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    await boundary.api.behave();
    boundary.api.answer = async (res) => {
      if (boundary.api.seen.length === tokens.length) arrived.resolve();
      await gate.promise;
      res.writeHead(200).end('{"name":"at last"}');
    };
    const calls = tokens.map((token) => call("waits", token));
    await arrived.promise;
    return { go: () => gate.resolve(), calls };
  }

  verifies(
    "sandbox.capacity",
    "a user has so many workers, and is told to wait for more",
    async () => {
      const ada = await boundary.token("desk");
      const { go, calls } = await held([ada, ada]);
      const third = await call("waits", ada);
      expect(third.error).toMatchObject({ code: "capacity", retry: "after", effect: "none" });
      expect(third.error?.message).toContain("of this user");
      const bob = await boundary.token("desk", { sub: "bob", sid: "b" });
      expect((await call("other", bob)).result).toEqual({ value: "ok" });
      go();
      for (const one of await Promise.all(calls)) expect(one.result).toEqual({ value: "at last" });
      // Idle ones make room: a third tool of the same user gets the place of the longest idle.
      expect((await call("other", ada)).result).toEqual({ value: "ok" });
    },
  );

  verifies("sandbox.capacity", "so are there in all, and idle ones make room", async () => {
    const users = await Promise.all(
      ["carl", "dora", "emil", "fay"].map((sub) => boundary.token("desk", { sub, sid: sub })),
    );
    const [carl = "", dora = "", emil = "", fay = ""] = users;
    const { go, calls } = await held([carl, dora, emil]);
    const refused = await call("waits", fay);
    expect(refused.error).toMatchObject({ code: "capacity" });
    expect(refused.error?.message).toContain("in all");
    go();
    for (const one of await Promise.all(calls)) expect(one.result).toEqual({ value: "at last" });
    boundary.api.answer = undefined;
    expect((await call("waits", fay)).result).toEqual({ value: "a lamp" });
  });
});
