// The engine's own probe: a guest looks for every way out of the language that it knows.
import { randomBytes } from "node:crypto";
import { IsolationUnavailable } from "./backend.ts";
import type { IsolationBackend } from "./backend.ts";
import { converse } from "./dialogue.ts";
import { ok } from "../kernel/result.ts";
import type { Stage } from "./stage.ts";
import { Worker } from "./worker.ts";

const LIMITS = { frame_bytes_max: 65_536, rss_bytes_max: 512 * 1024 * 1024 };
const NEVER = new AbortController().signal;

/** Returns what the guest found, as names: an empty list must come back, with the canary. */
const GUEST = `
const found = [];
const names = ["process", "require", "module", "Buffer", "fetch", "WebAssembly", "setTimeout",
  "XMLHttpRequest", "WebSocket", "Deno", "Bun", "std", "os", "console", "globalThis.process"];
const roots = [globalThis, (0, eval)("this"), Function("return this")(),
  api.constructor.constructor("return this")(), print.constructor("return this")()];
for (const root of roots) for (const name of names) if (root[name] !== undefined) found.push(name);
for (const name of ["node:fs", "fs", "std", "os", "/etc/passwd", "file:///etc/passwd"]) {
  try { await import(name); found.push("import " + name); } catch {}
}
for (const get of [() => print.caller, () => arguments.callee.caller, () => new Error().stack]) {
  try { if (/node:|file:|\\/src\\//.test(String(get()))) found.push("a host's frame"); } catch {}
}
return { found, canary: CANARY };
`;

export async function probeEngine(backend: IsolationBackend, stage: Stage): Promise<void> {
  const spec = { folder: stage.folder, entry: stage.entry("engine-worker") };
  const worker = new Worker(
    backend.spawn({ ...spec, heap_mib_max: 128, permission: true }),
    LIMITS,
  );
  const canary = randomBytes(16).toString("hex");
  const code = GUEST.replace("CANARY", JSON.stringify(canary));
  try {
    await worker.ready;
    const said = await converse<unknown>(worker, {
      question: { t: "run", code, tools: [], timeout_ms: 5000, output_chars_max: 1000 },
      timeout_ms: 10_000,
      cpu_ms_max: 10_000,
      requests_max: 0,
      signal: NEVER,
      onRequest: (frame) => Promise.resolve(frame),
      onLog: () => undefined,
      onEnd: (frame) => ok(frame),
    });
    const value = said.ok ? (said.value as { value?: unknown }).value : undefined;
    const { found, canary: back } = (value ?? {}) as { found?: unknown[]; canary?: unknown };
    if (back !== canary || found === undefined) {
      throw new IsolationUnavailable("the engine did not run the probe's code");
    }
    if (found.length > 0) {
      throw new IsolationUnavailable(`a guest of the engine found ${found.join(", ")}`);
    }
  } finally {
    worker.destroy({ code: "cancelled" });
    await worker.gone;
  }
}
