// Levels in the configuration: what is left out does not run, and what is too low is said in
// writing.
import { describe, expect } from "vitest";
import { loadConfig } from "../../../src/config/load.ts";
import { keptFrom } from "../../../src/sandbox/upstream/local-servers.ts";
import { configFrom, minimalConfig, problemsOf, put, SHOP } from "../../setup/minimal.ts";
import { testFolder } from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";
import { verifies } from "../../verifies.ts";

const LOOPBACK = { public_url: "http://127.0.0.1:8484" };

function problems(isolation: Json, changes: Json = {}): string[] {
  const found = problemsOf(() => configFrom(minimalConfig({ ...changes, isolation })));
  return found.map(({ pointer, message }) => `${pointer}: ${message}`);
}

describe("isolation", () => {
  verifies("sandbox.below-os", "nothing is said: no code runs", () => {
    const { isolation } = configFrom(minimalConfig());
    expect(isolation).toMatchObject({ code_tools: "none", run_code: "none" });
  });

  verifies("sandbox.below-os", "beyond loopback, process and engine are refused", () => {
    const both = { code_tools: "process", run_code: "engine" };
    const said = [
      "/isolation/code_tools: beyond loopback, code runs at level os, not process",
      "/isolation/run_code: beyond loopback, code runs at level os, not engine",
    ];
    expect(problems(both)).toEqual(said);
    const wide = { ...LOOPBACK, listen: { host: "0.0.0.0", port: 8484 } };
    expect(problems(both, wide)).toEqual(expect.arrayContaining(said));
    expect(problems({ code_tools: "os", run_code: "os" })).toEqual([]);
    expect(problems(both, LOOPBACK)).toEqual([]);
  });

  verifies("sandbox.below-os", "it can be lowered in writing, and in no other way", () => {
    const both = { code_tools: "process", run_code: "engine" };
    expect(problems({ ...both, below_os: "accepted" })).toEqual([]);
    for (const other of ["", "yes", true, null]) {
      expect(problems({ ...both, below_os: other }).length).toBeGreaterThan(0);
    }
  });

  verifies(
    "sandbox.below-os",
    "a level that is none, and a command that is none, are errors",
    () => {
      expect(problems({ code_tools: "engine" })[0]).toMatch(/^\/isolation\/code_tools/);
      expect(problems({ run_code: "process" })[0]).toMatch(/^\/isolation\/run_code/);
      expect(problems({ code_tools: "external" })).toEqual([
        "/isolation/command: isolation.code_tools is external, and no command is given",
      ]);
      expect(problems({ code_tools: "external", command: ["docker", "run", "node"] })).toEqual([
        "/isolation/command: the command does not name {stage}",
      ]);
      expect(problems({ code_tools: "os", workers_max: 0 })[0]).toMatch(/workers_max/);
    },
  );

  verifies(["sandbox.below-os", "servers.jail"], "no MCP server runs below os", () => {
    expect(problems({ mcp_servers: "external" })).toEqual([
      "/isolation/command: isolation.mcp_servers is external, and no command is given",
    ]);
    for (const level of ["none", "process", "engine", ""]) {
      expect(problems({ mcp_servers: level, below_os: "accepted" })[0], level).toMatch(
        /^\/isolation\/mcp_servers: one of: os, external/,
      );
    }
  });

  verifies("servers.jail", "a local MCP server has no token, no origin and no environment", () => {
    const local = { mcp: { command: ["node", "x.js"] } };
    const said = (connector: Json): string[] => problems({}, { connectors: { local: connector } });
    expect(said(local)).toEqual([]);
    expect(said({ ...local, delegation: SHOP.delegation })).toEqual([
      "/connectors/local/delegation: a local server has no token",
    ]);
    expect(said({ ...local, origin: SHOP.origin })[0]).toMatch(/neither an API nor an MCP server/);
    for (const more of [{ env: { KEY: "x" } }, { cwd: "/" }, { url: "https://x.test/mcp" }]) {
      expect(said({ mcp: { ...local.mcp, ...more } })[0]).toMatch(/^\/connectors\/local\/mcp/);
    }
    expect(said({ mcp: { command: [] } })[0]).toMatch(/^\/connectors\/local\/mcp/);
  });

  verifies(
    "config.mistake-located",
    "no key for everybody fits into an MCP server's address",
    () => {
      for (const end of ["?api_key=k", "?", "#k"]) {
        const far = { mcp: { url: `https://mcp.test/mcp${end}` }, delegation: SHOP.delegation };
        expect(problems({}, { connectors: { far } }), end).toEqual([
          "/connectors/far/mcp/url: has a query or a fragment",
        ]);
      }
    },
  );

  verifies("servers.jail", "no local MCP server's folder may hold a file with a secret", () => {
    const folder = testFolder();
    const secret = put(folder, "keys/secret", "a secret");
    const { issuers } = minimalConfig() as { issuers: { corp: Json } };
    const client = { client_id: "doorless", client_secret: "file:keys/secret" };
    const config = minimalConfig({ issuers: { corp: { ...issuers.corp, client } } });
    const file = put(folder, "mcp.config.json", JSON.stringify(config));
    expect(keptFrom(loadConfig(file, {}))).toContain(secret);
  });
});
