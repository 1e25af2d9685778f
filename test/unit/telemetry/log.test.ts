// Logs: on stderr, one JSON object a line, with secrets redacted.
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { createLogger } from "../../../src/telemetry/log.ts";
import { verifies } from "../../verifies.ts";

const CANARY = "canary-91ab";
const NAMES = [
  "authorization",
  "cookie",
  "token",
  "access_token",
  "refresh_token",
  "id_token",
  "subject_token",
  "client_secret",
  "client_assertion",
  "code",
  "code_verifier",
  "password",
  "proof",
];

function linesOf(level: string, write: (log: ReturnType<typeof createLogger>) => void): string[] {
  const lines: string[] = [];
  write(createLogger(level, { write: (line: string) => void lines.push(line) }));
  return lines;
}

describe("logs", () => {
  for (const name of NAMES) {
    verifies("house.logs", `a field called ${name} is redacted at three depths`, () => {
      const [line = ""] = linesOf("info", (log) =>
        log.info({ [name]: CANARY, a: { [name]: CANARY, b: { [name]: CANARY } } }, "x"),
      );
      expect(line).not.toContain(CANARY);
      expect(line.split("[redacted]")).toHaveLength(4);
    });
  }

  verifies("house.logs", "an error is its name, code, message and place, and no more", () => {
    const error = Object.assign(new TypeError("broken"), {
      code: "EX",
      body: CANARY,
      response: { text: CANARY },
      cause: new Error(CANARY),
    });
    const [line = ""] = linesOf("info", (log) => log.error({ err: error }, "it failed"));
    const { err } = JSON.parse(line) as { err: Record<string, unknown> };
    expect(err).toMatchObject({ type: "TypeError", error_code: "EX", message: "broken" });
    expect(Object.keys(err)).toEqual(["type", "message", "error_code", "stack"]);
    expect(line).not.toContain(CANARY);
    const [other = ""] = linesOf("info", (log) => log.error({ err: CANARY }, "x"));
    expect(other).not.toContain(CANARY);
  });

  verifies("house.logs", "nothing of a log is on stdout, all of it is on stderr", () => {
    const root = resolve(import.meta.dirname, "../../..");
    const program =
      'import { createLogger } from "./src/telemetry/log.ts";' +
      'createLogger("info").info({ token: "canary-91ab" }, "hello");';
    const run = spawnSync(process.execPath, ["--input-type=module-typescript", "-e", program], {
      cwd: root,
      encoding: "utf8",
    });
    expect(run.status, run.stderr).toBe(0);
    expect(run.stdout).toBe("");
    expect(JSON.parse(run.stderr)).toMatchObject({
      level: "info",
      msg: "hello",
      token: "[redacted]",
    });
  });

  test("a line has its level as a word and its time in RFC 3339", () => {
    const [line = ""] = linesOf("warn", (log) => {
      log.info("not this one");
      log.warn("this one");
    });
    const { level, time, msg } = JSON.parse(line) as Record<string, string>;
    expect({ level, msg }).toEqual({ level: "warn", msg: "this one" });
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(linesOf("silent", (log) => log.fatal("x"))).toEqual([]);
  });
});
