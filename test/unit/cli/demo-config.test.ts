// The demo's configuration between its runs: the example, or what somebody made of it.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { writeDemoConfig } from "../../../src/cli/demo-config.ts";
import type { DemoPlaces } from "../../../src/cli/demo-config.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { testFolder } from "../../setup/minimal.ts";
import { verifies } from "../../verifies.ts";

const at = (port: number): DemoPlaces => ({
  url: `http://127.0.0.1:${port}`,
  issuer: `http://127.0.0.1:${port + 1}`,
  api: `http://127.0.0.1:${port + 2}`,
  mail_accounts: `http://127.0.0.1:${port + 3}`,
});

verifies("demo.config", "a changed file is kept, moved to the addresses of the run", () => {
  const data = testFolder();
  const world = join(data, "world");
  mkdirSync(world);
  const start = (port: number) => writeDemoConfig(data, world, at(port));
  const { file, kept } = start(20_000);
  const read = () => loadConfig(file, {}, { secrets: false });
  expect(kept).toBe(false);
  expect(read()).toMatchObject({ public_url: at(20_000).url, listen: { port: 20_000 } });
  // Nobody changed it: it is the example again, wherever the demo runs.
  expect(start(20_001).kept).toBe(false);
  const changed = readFileSync(file, "utf8").replace('"title": "', '"title": "My ');
  writeFileSync(file, changed);
  for (const port of [20_001, 20_002, 8484]) {
    expect(start(port).kept).toBe(true);
    const { public_url, listen, issuers, connectors, agents } = read();
    expect([public_url, listen.port]).toEqual([at(port).url, port]);
    expect(Object.values(issuers)[0]?.issuer).toBe(at(port).issuer);
    expect(connectors["crm"]?.origin).toBe(at(port).api);
    expect(JSON.stringify(agents)).toContain("My ");
  }
  rmSync(file);
  expect(start(8484).kept).toBe(false);
  expect(readFileSync(file, "utf8")).not.toContain("My ");
});
