// What clients see of each tool, one file each: a changed word here is a changed tool for a model.
// UPDATE_PINS=1 writes them anew, for a reviewer to read.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { compareWithLock, readLock } from "../../src/catalog/lock.ts";
import { loadConfig } from "../../src/config/load.ts";
import { readCatalogOffline, readHouseOffline } from "../../src/console/house.ts";
import { listingOf } from "../../src/policy/surface.ts";
import { verifies } from "../verifies.ts";

const FOLDER = resolve(import.meta.dirname, "tools");
const config = loadConfig(
  resolve(import.meta.dirname, "../../mcp.config.json"),
  {},
  { secrets: false },
);
const { catalog } = await readHouseOffline(config);
const listed = [...catalog.tools.values()]
  .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  .map((tool) => listingOf(tool));

if (process.env["UPDATE_PINS"] === "1") {
  for (const tool of listed) {
    writeFileSync(resolve(FOLDER, `${tool.name}.json`), `${JSON.stringify(tool, null, 2)}\n`);
  }
}

describe("tools", () => {
  for (const tool of listed) {
    verifies("broker.projection", `${tool.name} is listed as pinned`, () => {
      const pinned = readFileSync(resolve(FOLDER, `${tool.name}.json`), "utf8");
      expect(`${JSON.stringify(tool, null, 2)}\n`).toBe(pinned);
    });
  }

  test("each pin is of a tool that is shipped", () => {
    const pinned = readdirSync(FOLDER).map((name) => name.replace(/\.json$/, ""));
    expect(pinned.toSorted()).toEqual(listed.map(({ name }) => name));
    expect(pinned.length).toBeGreaterThan(12);
  });

  verifies("tools.lock", "the shipped tools are as tools.lock.json says", async () => {
    // After a change that is meant: bin/doorless.js tools approve --by "the doorless project"
    expect(compareWithLock(await readCatalogOffline(config), readLock(config.tools_dir))).toEqual(
      [],
    );
  });

  verifies("mcp.list-shape", "no listed schema has x-mcp-header or a keyword of ours", () => {
    expect(JSON.stringify(listed)).not.toMatch(/"x-|"ledger":|"from":"/);
  });
});
