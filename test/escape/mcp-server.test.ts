// A local MCP server that means harm, in the jail that it really runs in: what it came for is not
// there, and what it knows of one session no other learns.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { ConfigError } from "../../src/config/problem.ts";
import { ATTEMPT_NAMES, ATTEMPTS, jailStops } from "../../src/sandbox/claims.ts";
import { setTraps } from "../../src/sandbox/probe.ts";
import { LEVELS } from "../setup/levels.ts";
import { openLocalWorld } from "../setup/local-server.ts";
import type { LocalWorld } from "../setup/local-server.ts";
import { upstreamTurn } from "../setup/upstream-turn.ts";
import { verifies } from "../verifies.ts";

const skip = LEVELS.find(({ level }) => level === "os")?.skip;

const TOOLS = `
import { execve } from "node:process";
import { fork, spawnSync } from "node:child_process";
import { lookup } from "node:dns/promises";
import { createServer } from "node:net";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { attempts } from "./attempts.js";
let kept = "nothing";
export const tools = {
  attempt: ({ name, targets }) => attempts[name](targets),
  keep: ({ text }) => {
    try { writeFileSync("/tmp/kept", text); } catch {}
    return (kept = text);
  },
  recall: () => [kept, readdirSync("/tmp")],
  fork: () => fork("/w/index.mjs").pid,
  listen: () => new Promise((done, fail) => createServer().once("error", fail).listen(0, done)),
  resolve: () => lookup("example.com"),
  become: () => execve("/bin/sh", ["sh", "-c", "true"], {}),
  processes: () => readdirSync("/proc").filter((name) => /^\\d+$/.test(name)),
  files: () => readdirSync("/w", { recursive: true }),
  root: () => readdirSync("/"),
  read: ({ path }) => readFileSync(path, "utf8"),
  environment: () => ({ ...process.env }),
  arguments: () => process.argv,
  memory: () => { const all = []; for (;;) all.push(Buffer.alloc(8e6, 1)); },
  loop: () => { for (;;); },
  exit: () => process.exit(3),
};
`;

let world: LocalWorld;

verifies(
  ["servers.jail", "sandbox.probe"],
  "where there is no jail, a local MCP server stops the start, with the reason and the mend",
  async () => {
    const path = process.env["PATH"];
    process.env["PATH"] = "";
    try {
      const why: unknown = await openLocalWorld(TOOLS).catch((error: unknown) => error);
      expect(why).toBeInstanceOf(ConfigError);
      expect((why as ConfigError).problems).toMatchObject([
        {
          pointer: "/connectors/local/mcp/command",
          message: expect.stringContaining("isolation_unavailable: "),
          mend: expect.stringContaining("nothing runs at a lower one"),
        },
      ]);
    } finally {
      process.env["PATH"] = path;
    }
  },
);

describe("a local MCP server", () => {
  beforeAll(async () => {
    if (skip === undefined) world = await openLocalWorld(TOOLS, { cpu_ms_max: 2000 });
  });
  afterAll(() => world?.close());

  verifies(
    ["servers.jail", "sandbox.escape"],
    "makes every attempt that the jail claims to stop, and none gets through",
    async () => {
      const traps = await setTraps();
      try {
        const { call } = await world.session();
        // What `/` may hold differs between machines: the probe of the start looked at it.
        const targets = { ...traps.targets, root: await call("root") };
        for (const name of ATTEMPT_NAMES.filter((one) => jailStops("os", one))) {
          const made = call("attempt", { name, targets });
          await expect(made, ATTEMPTS[name].what).rejects.toThrow();
        }
        expect(await call("recall"), "it lives").toEqual(["nothing", expect.anything()]);
      } finally {
        await traps.remove();
      }
    },
    { skip },
  );

  const REFUSED = ["fork", "listen", "resolve", "become"];
  for (const tool of REFUSED) {
    verifies(
      "servers.jail",
      `cannot ${tool}`,
      async () => {
        const { call } = await world.session();
        await expect(call(tool)).rejects.toThrow(/EPERM|ENOENT|EAI_AGAIN|ECONNREFUSED/);
      },
      { skip },
    );
  }

  verifies(
    ["servers.jail", "servers.digest"],
    "sees its own files, itself, and no environment",
    async () => {
      const { call } = await world.session();
      expect(await call("files")).toEqual([
        "attempts.js",
        "index.mjs",
        "package.json",
        "tools.mjs",
      ]);
      expect(await call("processes")).toEqual(["1"]);
      expect(await call("environment")).toEqual({ PWD: "/w" });
      expect(await call("arguments")).toEqual(["/node", "/w/index.mjs"]);
    },
    { skip },
  );

  verifies(
    "servers.session",
    "tells no session what another told it, by memory or by file",
    async () => {
      const [one, other] = [await world.session("mia"), await world.session("mia")];
      expect(await one.call("keep", { text: "mia's secret" })).toBe("mia's secret");
      expect(await one.call("recall")).toEqual(["mia's secret", expect.anything()]);
      expect(JSON.stringify(await other.call("recall"))).not.toContain("secret");
      await Promise.all([one.upstream.close(), other.upstream.close()]);
      expect(JSON.stringify(await (await world.session("mia")).call("recall"))).not.toContain(
        "secret",
      );
    },
    { skip },
  );

  const ENDS: Readonly<Record<string, RegExp>> = {
    memory: /^(?:resource_limit|downstream_unavailable)$/,
    loop: /^resource_limit$/,
    exit: /^downstream_unavailable$/,
  };
  for (const [tool, code] of Object.entries(ENDS)) {
    verifies(
      ["servers.effect", "sandbox.limits"],
      `whose ${tool} is its end fails that call, and starts anew`,
      async () => {
        const { upstream, call } = await world.session();
        const called = await upstream.call(tool, {}, upstreamTurn());
        expect(called).toMatchObject({ ok: false, sent: true, gone: true });
        expect(called.ok ? "" : called.refusal.code).toMatch(code);
        expect(await upstream.call("recall", {}, upstreamTurn())).toMatchObject({ sent: false });
        await upstream.list(upstreamTurn());
        expect(await call("recall")).toEqual(["nothing", []]);
        await upstream.close();
      },
      { skip },
    );
  }

  verifies(
    "servers.jail",
    "runs from a copy: what happens to its files later is not in it",
    async () => {
      const { call } = await world.session();
      const before = await call("read", { path: "/w/tools.mjs" });
      writeFileSync(join(world.folder, "server/tools.mjs"), "export const tools = {};");
      const again = await world.session("omar");
      expect(await again.call("read", { path: "/w/tools.mjs" })).toBe(before);
    },
    { skip },
  );
});
