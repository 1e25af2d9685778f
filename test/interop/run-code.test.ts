// run_code: what a model's code can do, which is to compute and to call, and what ends it.
import { afterAll, beforeAll, beforeEach, describe, expect } from "vitest";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { toolText } from "../setup/code.ts";
import { callTool } from "../setup/mcp-post.ts";
import { stopDesk } from "../setup/stop-desk.ts";
import { verifies } from "../verifies.ts";

const FREE = { calls: 100_000, per_s: 60, burst: 10_000 };
const CAREFUL = {
  tools: { run_code: {}, item_get: { arguments: { id: { pattern: "own-[0-9]+" } } } },
};
const CODE = {
  shop_sum: toolText("shop_sum", {
    run: 'const { name } = await api.request("GET /items"); return { value: name };',
  }),
  shop_write: toolText("shop_write", {
    change: {
      effects: "{ readOnly: false, destructive: false, idempotent: true, openWorld: false }",
    },
  }),
};

let boundary: Boundary;
let token: string;

beforeAll(async () => {
  boundary = await openBoundary({
    code: CODE,
    isolation: {
      code_tools: "process",
      run_code: "engine",
      run_code_timeout_ms: 5000,
      run_code_calls_max: 10,
      run_code_output_chars_max: 1000,
    },
    file: {
      roles: { staff: { desk: "all" }, careful: { desk: CAREFUL } },
      limits: {
        requests_per_user: FREE,
        calls_per_user: FREE,
        calls_per_session: FREE,
        // Of one tool, a user may call four at once and then wait.
        calls_per_user_and_tool: { calls: 4, per_s: 3600, burst: 4 },
        running_calls_per_user_max: 4,
      },
    },
  });
});

// A user of its own for each test: limits are per user.
let users = 0;
beforeEach(async () => {
  await boundary.api.behave();
  users += 1;
  token = await boundary.token("desk", { sub: `user-${users}`, sid: `sign-in-${users}` });
});

afterAll(() => boundary.close());

function run(code: string, as = token) {
  return callTool(`${boundary.url}/mcp/desk`, `Bearer ${as}`, "run_code", { code });
}

function linesOf(call_id: string) {
  return boundary.ledger().filter((line) => line["parent"] === call_id);
}

describe("run_code", () => {
  verifies("sandbox.run-code", "it answers with what was returned and printed", async () => {
    const code = 'print("a", 1, { b: [true] }); print("second"); return { n: [1, null, "é"] };';
    expect((await run(code)).result).toEqual({
      value: { n: [1, null, "é"] },
      output: 'a 1 {"b":[true]}\nsecond\n',
    });
    expect((await run("")).error).toMatchObject({ code: "invalid_arguments" });
    expect((await run("1;")).result).toEqual({ value: null, output: "" });
    expect((await run("return await (async () => 7)();")).result).toEqual({ value: 7, output: "" });
  });

  verifies("sandbox.run-code", "api has the session's read-only tools and no others", async () => {
    const { result } = await run("return Object.keys(api);");
    expect(result?.["value"]).toEqual([
      "item_find",
      "item_get",
      "item_pair",
      "item_patient",
      "literal_get",
      "mapped_get",
      "metadata_get",
      "named_get",
      "shop_sum",
    ]);
    const reader = await boundary.token("desk", { org: { tenant: "acme", roles: ["reader"] } });
    const called = await run("return 1;", reader);
    expect(called.message).toMatchObject({ error: { code: -32_602 } });
  });

  verifies("policy.rules", "calls from inside code obey the same argument rules", async () => {
    const org = { tenant: "acme", roles: ["careful"] };
    const careful = await boundary.token("desk", { org, sub: "careful", sid: "careful" });
    const code =
      "const ask = (id) => api.item_get({ id }).then(() => 'ok', (error) => error.code);" +
      "return [Object.keys(api), await ask('own-1'), await ask('other-1'), await ask('own-1/..')];";
    const { result, call_id } = await run(code, careful);
    const refused = "argument_not_allowed";
    expect(result?.["value"]).toEqual([["item_get"], "ok", refused, refused]);
    const codes = linesOf(call_id).flatMap(({ error_code }) => error_code ?? []);
    expect(codes).toEqual([refused, refused]);
  });

  verifies("sandbox.inner-calls", "a locked tool leaves api's keys, and says why", async () => {
    const desk = stopDesk(boundary);
    await desk.lock("tool:item_get", "ticket 4711");
    try {
      const { result } = await run(`
        const listed = Object.keys(api).filter((name) => /^(item_get|shop_sum)$/.test(name));
        const said = await api.item_get({ id: "7" }).catch(({ code, message }) => [code, message]);
        return [listed, said];`);
      const said = ["locked", expect.stringMatching(/This tool is locked by the operator\.$/)];
      expect(result?.["value"]).toEqual([["shop_sum"], said]);
    } finally {
      await desk.unlock("tool:item_get");
    }
    const again = await run('return Object.keys(api).includes("item_get");');
    expect(again.result).toEqual({ value: true, output: "" });
  });

  verifies(
    "sandbox.inner-calls",
    "each call of a tool is a call with its own records",
    async () => {
      const code = `
      const card = await api.item_get({ id: "7" });
      const [sum, again] = await Promise.all([api.shop_sum(), api.item_get({ id: "8" })]);
      return [card, sum, again];`;
      const called = await run(code);
      const item = { id: "7", name: "a lamp" };
      expect(called.result?.["value"]).toEqual([item, { value: "a lamp" }, item]);
      const lines = linesOf(called.call_id);
      expect(
        lines.map((line) => `${String(line["kind"])} ${String(line["tool"])}`).toSorted(),
      ).toEqual(["intent item_get", "intent item_get", "intent shop_sum"]);
      for (const line of lines) {
        expect(line).toMatchObject({ agent: "desk", subject: `user-${users}` });
        const same = boundary.ledger().filter((one) => one["call_id"] === line["call_id"]);
        expect(same.map((one) => one["kind"])).toEqual(["intent", "outcome"]);
      }
      const parent = boundary.ledger().find((line) => line["call_id"] === called.call_id);
      expect(parent).toMatchObject({ tool: "run_code", parent: null });
      expect(parent?.["isolation"]).toMatch(/^engine in process \(probed/);
      expect(boundary.api.seen).toHaveLength(3);
    },
  );

  verifies("sandbox.inner-calls", "no inner call gets past an argument rule", async () => {
    const called = await run(`
      const said = [];
      for (const args of [{}, { id: 7 }, { id: "7", more: 1 }, null, [], "x", undefined]) {
        try { await api.item_get(args); said.push("went through"); }
        catch (error) { said.push(error.code); }
      }
      return said;`);
    expect(called.result?.["value"]).toEqual(Array(7).fill("invalid_arguments"));
    expect(boundary.api.seen).toEqual([]);
    expect(linesOf(called.call_id).every((line) => line["kind"] === "refusal")).toBe(true);
  });

  verifies("sandbox.inner-calls", "an argument that no frame may hold can be caught", async () => {
    const called = await run(`
      try { await api.item_get({ id: "7", constructor: 1 }); }
      catch (error) { return [error.code, (await api.item_get({ id: "7" })).name]; }`);
    expect(called.result?.["value"]).toEqual(["invalid_arguments", "a lamp"]);
  });

  verifies("sandbox.inner-calls", "inner calls count against the limits of the user", async () => {
    const called = await run(`
      const said = [];
      for (let i = 0; i < 6; i++) {
        try { await api.item_get({ id: "7" }); said.push("ok"); }
        catch (error) { said.push(error.code, error.retry_after_ms > 0); }
      }
      return said;`);
    const refused = ["rate_limited", true];
    expect(called.result?.["value"]).toEqual(["ok", "ok", "ok", "ok", ...refused, ...refused]);
    expect(boundary.api.seen).toHaveLength(4);
    const outside = await callTool(`${boundary.url}/mcp/desk`, `Bearer ${token}`, "item_get", {
      id: "7",
    });
    expect(outside.error).toMatchObject({ code: "rate_limited" });
  });

  verifies("sandbox.inner-calls", "many calls at once wait for each other", async () => {
    const many = "return (await Promise.all([1, 2, 3].map(() => api.item_patient()))).length;";
    expect((await run(many)).result).toEqual({ value: 3, output: "" });
    const wide =
      "return (await Promise.allSettled([..." +
      '"abcdefghij"].map((id) => api.item_find({ q: id })))).length;';
    expect((await run(wide)).result).toEqual({ value: 10, output: "" });
  });

  verifies("sandbox.inner-calls", "no name but those of the list leads anywhere", async () => {
    const called = await run(`
      const said = [];
      for (const name of ["item_rename", "shop_write", "run_code", "__proto__", "constructor"]) {
        said.push(typeof api[name]);
      }
      try { api.item_rename = 1; } catch { said.push("frozen"); }
      return said;`);
    const value = called.result?.["value"] as string[];
    expect(value.slice(0, 3)).toEqual(["undefined", "undefined", "undefined"]);
    expect(linesOf(called.call_id)).toEqual([]);
  });
});

verifies(
  ["limits.repeats", "sandbox.inner-calls"],
  "what code repeats over several runs, and its agent without code, is one loop",
  async () => {
    const code =
      "const codes = [];" +
      "for (let i = 0; i < 6; i++) codes.push(await api.item_get({ i }).catch((e) => e.code));" +
      "return codes;";
    const codes = [await run(code), await run(code)].flatMap(
      ({ result }) => result?.["value"] as string[],
    );
    expect(codes.slice(0, 10)).toEqual(Array<string>(10).fill("invalid_arguments"));
    expect(codes.slice(10)).toEqual(["loop_detected", "loop_detected"]);
    const directly = (as: string) =>
      callTool(`${boundary.url}/mcp/desk`, `Bearer ${as}`, "item_get", {});
    expect((await directly(token)).error?.code).toBe("loop_detected");
    // Another sign-in has its own count, and pays from the same limits.
    const again = await boundary.token("desk", { sub: `user-${users}`, sid: "another sign-in" });
    expect((await directly(again)).error?.code).toBe("invalid_arguments");
  },
);

describe("a run that ends badly", () => {
  const ENDS: Readonly<Record<string, readonly [string, string, RegExp]>> = {
    "a throw": ['throw new TypeError("mine");', "code_error", /TypeError: mine/],
    "a throw of no error": ["throw { a: 1 };", "code_error", /threw \{"a":1\}/],
    "a syntax error": ["return (;", "code_error", /SyntaxError/],
    "a refused call": ["await api.item_get({});", "code_error", /do not fit/],
    "a value without JSON": ["return () => 1;", "code_error", /has no JSON/],
    "a circle": ["const a = {}; a.a = a; return a;", "code_error", /circular/],
    "a wait for nothing": ["await new Promise(() => {});", "code_error", /never comes/],
    "too much memory": [
      "const a = []; for (;;) a.push(new ArrayBuffer(4e6));",
      "resource_limit",
      /memory/,
    ],
    "a buffer": ["return new ArrayBuffer(4 * 2 ** 30).byteLength;", "code_error", /./],
    "too much output": ['for (;;) print("x".repeat(100));', "resource_limit", /output/],
    "too many calls": [
      "for (;;) { try { await api.item_get({}); } catch {} }",
      "resource_limit",
      /requests/,
    ],
    "deep recursion": ["const f = () => f() + 1; return f();", "code_error", /stack|recursion/i],
    "deep nesting": ['return eval("(".repeat(2e4) + "1" + ")".repeat(2e4));', "", /./],
    "deep JSON": ['return JSON.parse("[".repeat(1e5) + "]".repeat(1e5));', "", /./],
    "a key constructor": ["return { constructor: 1 };", "code_error", /has a key constructor/],
    "a key prototype": ["return [{ prototype: 1 }];", "code_error", /has a key prototype/],
    "a key __proto__": [
      `return JSON.parse('{"__proto__":{"a":1}}');`,
      "code_error",
      /has a key __proto__/,
    ],
    "a value five hundred deep": [
      "let a = []; for (let i = 0; i < 500; i++) a = [a]; return a;",
      "code_error",
      /the returned value is nested too deep/,
    ],
    "very many values": ["return Array(200_000).fill(0);", "code_error", /holds too many values/],
    "a key of an argument": [
      'await api.item_get({ id: "7", ["__proto__"]: {} });',
      "code_error",
      /What was given has a key __proto__/,
    ],
    "a value that is too large": ['return "x".repeat(3e6);', "resource_limit", /output/],
  };
  for (const [what, [code, error, says]] of Object.entries(ENDS)) {
    verifies("sandbox.run-code", `${what} ends its own run, and the next one works`, async () => {
      const called = await run(code);
      if (error === "")
        expect(called.error?.code).toMatch(/^(?:code_error|resource_limit|tool_error)$/);
      else expect(called.error).toMatchObject({ code: error, effect: "none" });
      expect(called.error?.message).toMatch(says);
      expect((await run("return 1;")).result).toEqual({ value: 1, output: "" });
    });
  }

  const ENDLESS = [
    "for (;;) {}",
    "await null; for (;;) {}",
    'return /^(a+)+$/.test("a".repeat(40) + "b");',
  ];
  verifies(
    "sandbox.run-code",
    "a loop, one in a promise and a regular expression end their own runs; the next ones work",
    async () => {
      // Each lasts until its deadline: all at once.
      const ended = ENDLESS.map(async (code, i) => {
        const who = { sub: `endless-${i}`, sid: `endless-${i}` };
        const as = await boundary.token("desk", who);
        const { error } = await run(code, as);
        return { error, next: (await run("return 1;", as)).result };
      });
      for (const one of await Promise.all(ended)) {
        expect(one.error).toMatchObject({ code: "timeout", effect: "none" });
        expect(one.next).toEqual({ value: 1, output: "" });
      }
    },
  );

  verifies(
    "sandbox.worker-owner",
    "nothing that one run leaves behind is there in the next",
    async () => {
      await run("globalThis.left = 1; Array.prototype.map = () => ['hijacked']; return 1;");
      const code = "return [typeof globalThis.left, [1].map((x) => x)];";
      expect((await run(code)).result?.["value"]).toEqual(["undefined", [1]]);
    },
  );
});
