// A worker that was taken over: whatever it writes, the host goes on, and it is ended.
import { describe, expect } from "vitest";
import { ok } from "../../src/kernel/result.ts";
import { converse } from "../../src/sandbox/dialogue.ts";
import { openHostileWorker } from "../setup/hostile-worker.ts";
import { verifies } from "../verifies.ts";

const NEVER = new AbortController().signal;

/** One call put to the program: how it ended, whether the worker lives, what it asked for. */
async function met(program: string, answer = "the API's answer") {
  const { worker, close } = openHostileWorker(program);
  const asked: unknown[] = [];
  try {
    await worker.ready;
    const result = await converse<unknown>(worker, {
      question: { t: "call", input: {} },
      timeout_ms: 3000,
      cpu_ms_max: 3000,
      requests_max: 5,
      signal: NEVER,
      async onRequest(frame) {
        asked.push(frame["operation"]);
        return { t: "answer", id: frame["id"], ok: true, body: answer };
      },
      onLog: () => undefined,
      onEnd: (frame) => (frame.t === "result" ? ok(frame["value"]) : undefined),
    });
    return { result, alive: worker.alive, asked };
  } finally {
    await close();
  }
}

const READY = 'send({ t: "ready" }); await next();';
const ENDED: Readonly<Record<string, readonly [string, RegExp]>> = {
  "half a frame, and then its end": [
    `${READY} process.stdout.write(Buffer.from([0, 0, 1, 0, 123]), () => process.exit(3));`,
    /its worker ended: exit code 3/,
  ],
  "a frame of no known type": [`${READY} send({ t: "grant", all: true });`, /sent no answer/],
  "the host's own frame, forged": [
    `${READY} send({ t: "answer", id: 1, ok: true, body: "forged" });`,
    /sent no answer/,
  ],
  "a key that names a prototype": [
    `${READY} const text = '{"t":"result","value":{"__proto__":{"a":1}}}';
     raw(Buffer.from([0, 0, 0, text.length])); raw(text);`,
    /broke the protocol/,
  ],
  "nesting without end": [
    `${READY} const text = '{"t":"result","value":' + "[".repeat(1e5) + "]".repeat(1e5) + "}";
     const head = Buffer.alloc(4); head.writeUInt32BE(text.length); raw(head); raw(text);`,
    /nested too deep/,
  ],
  "a death of its own choice": [`${READY} process.kill(process.pid, "SIGKILL");`, /SIGKILL/],
};

describe("a worker that was taken over", () => {
  for (const [what, [program, says]] of Object.entries(ENDED)) {
    verifies(["sandbox.frames", "sandbox.escape"], `${what} ends it, and its call`, async () => {
      const { result, alive } = await met(program);
      expect(result).toMatchObject({ ok: false, refusal: { code: "tool_error" } });
      expect(result.ok ? "" : result.refusal.cause).toMatch(says);
      expect(alive).toBe(false);
    });
  }

  verifies(
    "sandbox.frames",
    "a second result, after the first, is its end and nobody's",
    async () => {
      const two = 'send({ t: "result", value: "first" }); send({ t: "result", value: "second" });';
      const { result } = await met(`${READY} ${two}`);
      expect(result).toEqual({ ok: true, value: "first" });
    },
  );

  verifies("sandbox.frames", "without being asked, a word is its end", async () => {
    const { worker, close } = openHostileWorker('send({ t: "ready" }); send({ t: "result" });');
    await worker.ready;
    worker.listen(undefined);
    const why = await worker.gone;
    expect(why.cause ?? "").toMatch(/spoke without being asked|cancelled/);
    await close();
  });

  verifies("sandbox.frames", "an id of its own invention is only its own confusion", async () => {
    const program = `${READY}
      send({ t: "request", id: { toString: null }, operation: "GET /a" });
      send({ t: "request", id: -1, operation: "GET /b" });
      await next(); await next();
      send({ t: "result", value: "done" });`;
    const { result, asked } = await met(program);
    expect(result).toEqual({ ok: true, value: "done" });
    expect(asked).toEqual(["GET /a", "GET /b"]);
  });

  verifies("sandbox.limits", "more requests than a call may make end it", async () => {
    const many =
      'for (let id = 1; ; id++) { send({ t: "request", id, operation: "GET /" }); await next(); }';
    const { result, asked } = await met(`${READY} ${many}`);
    expect(result).toMatchObject({ ok: false, refusal: { code: "resource_limit" } });
    expect(asked).toHaveLength(5);
  });

  verifies(
    "sandbox.limits",
    "it never gets ready: it is ended, and its start is refused",
    async () => {
      const { worker, close } = openHostileWorker('send({ t: "reddy" });');
      await expect(worker.ready).rejects.toThrow(/it began with reddy/);
      await close();
    },
  );
});
