// What a worker uses up is its own: each of these ends the worker, and the host goes on.
import { describe, expect } from "vitest";
import { ok } from "../../src/kernel/result.ts";
import { converse } from "../../src/sandbox/dialogue.ts";
import { openHostileWorker } from "../setup/hostile-worker.ts";
import { verifies } from "../verifies.ts";

const NEVER = new AbortController().signal;
const linux = process.platform === "linux" ? undefined : "its use is read from /proc";

async function endOf(program: string, { timeout_ms = 8000, cpu_ms_max = 8000 } = {}) {
  const { worker, close } = openHostileWorker(
    `send({ t: "ready" }); await next(); ${program}`,
    200,
  );
  try {
    await worker.ready;
    const result = await converse<unknown>(worker, {
      question: { t: "call", input: {} },
      timeout_ms,
      cpu_ms_max,
      requests_max: 5,
      signal: NEVER,
      onRequest: (frame) => Promise.resolve(frame),
      onLog: () => undefined,
      onEnd: (frame) => ok(frame["value"]),
    });
    if (result.ok) return JSON.stringify(result.value);
    return [result.refusal.code, result.refusal.details?.["limit"]].join(" ").trim();
  } finally {
    await close();
  }
}

describe("a worker that wants too much", () => {
  const MEMORY: Readonly<Record<string, string>> = {
    "a heap without end": "const all = []; for (;;) all.push(new Array(1e5).fill({}));",
    "buffers without end": "const all = []; for (;;) all.push(Buffer.alloc(8e6, 1));",
    "four gigabytes at once": "Buffer.alloc(4 * 2 ** 30, 1); for (;;) {}",
    "WebAssembly memory": `
      const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
      memory.grow(60000); new Uint8Array(memory.buffer).fill(1); for (;;) {}`,
    "a string that becomes a list": '"a".repeat(2 ** 29 - 24).split(""); for (;;) {}',
  };
  for (const [what, program] of Object.entries(MEMORY)) {
    verifies(
      "sandbox.limits",
      `${what}: it is gone, and the host is not`,
      async () => expect(await endOf(program)).toMatch(/^(?:resource_limit memory|tool_error)$/),
      { skip: linux },
    );
  }

  verifies(
    "sandbox.limits",
    "a loop ends at its processor time",
    async () => {
      const loop = await endOf("for (;;) {}", { cpu_ms_max: 300, timeout_ms: 20_000 });
      expect(loop).toBe("resource_limit processor time");
    },
    { skip: linux },
  );

  verifies("sandbox.limits", "a wait that blocks the thread ends at the deadline", async () => {
    const wait = "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);";
    expect(await endOf(wait, { timeout_ms: 400 })).toBe("timeout");
  });

  verifies(
    "sandbox.limits",
    "it can open only so many files",
    async () => {
      const program = `
      const { openSync } = await import("node:fs");
      let n = 0;
      try { for (;; n++) openSync(import.meta.filename); } catch (error) {
        send({ t: "result", value: [n < 64, error.code] });
      }`;
      expect(await endOf(program)).toBe('[true,"EMFILE"]');
    },
    { skip: linux },
  );
});
