// A Secret leaves by reveal() and by no other way.
import { serialize } from "node:v8";
import { format, inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { Secret } from "../../../src/kernel/secret.ts";
import { createLogger } from "../../../src/telemetry/log.ts";
import { verifies } from "../../verifies.ts";

const CANARY = "canary-3f9a1c77";
const secret = (): Secret => new Secret(CANARY);

function logged(write: (log: ReturnType<typeof createLogger>) => void): string {
  const lines: string[] = [];
  write(createLogger("trace", { write: (line: string) => void lines.push(line) }));
  return lines.join("");
}

const WAYS: Readonly<Record<string, (it: Secret) => string>> = {
  "JSON.stringify": (it) => JSON.stringify({ it, list: [it] }),
  "a template string": (it) => `<${it as unknown as string}>`,
  "string concatenation": (it) => "<".concat(String(it)),
  inspect: (it) => inspect({ it }, { depth: 9, showHidden: true, getters: true }),
  "inspect without custom": (it) => inspect(it, { customInspect: false, showHidden: true }),
  "console's format": (it) => format("%s %o %O %j", it, it, it, it),
  spread: (it) => {
    const copy = { ...(it as object) };
    return JSON.stringify(copy) + inspect(copy, { showHidden: true });
  },
  "Object.assign and entries": (it) =>
    JSON.stringify([Object.assign({}, it), Object.entries(it), Reflect.ownKeys(it)]),
  structuredClone: (it) => inspect(structuredClone({ it }), { showHidden: true }),
  "v8 serialisation": (it) => serialize({ it }).toString("latin1"),
  "an error's cause": (it) => inspect(new Error("x", { cause: it }), { showHidden: true }),
  "an error's message": (it) => String(new Error(String(it))),
};

describe("a secret", () => {
  for (const [way, attempt] of Object.entries(WAYS)) {
    test(`is not shown by ${way}`, () => {
      expect(attempt(secret())).not.toContain(CANARY);
    });
  }

  verifies("house.logs", "a Secret is redacted wherever a log line holds one", () => {
    const text = logged((log) => {
      log.info({ it: secret(), deep: { er: { still: [secret()] } } }, "a line");
      log.error({ err: new Error("broken", { cause: secret() }) }, "%s", secret());
    });
    expect(text).toContain("a line");
    expect(text).not.toContain(CANARY);
  });

  test("is revealed by name alone, and a copy of it by none", () => {
    expect(secret().reveal()).toBe(CANARY);
    const copy = Object.create(Secret.prototype, {}) as Secret;
    expect(() => copy.reveal()).toThrow(TypeError);
    expect(() => Object.assign(copy, secret()).reveal()).toThrow(TypeError);
  });

  test("has a digest that is equal for equal values only", () => {
    expect(secret().digest()).toBe(secret().digest());
    expect(secret().digest()).toMatch(/^[0-9a-f]{64}$/);
    expect(new Secret(`${CANARY}x`).digest()).not.toBe(secret().digest());
  });
});
