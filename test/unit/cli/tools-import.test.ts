// What `tools import openapi` says no to, and by which code it ends.
import { readdirSync } from "node:fs";
import { expect } from "vitest";
import { Stop } from "../../../src/cli/output.ts";
import { toolsImportOpenapi } from "../../../src/cli/tools-import.ts";
import { parseGiven } from "../../../src/cli/verb.ts";
import { put, testFolder } from "../../setup/minimal.ts";
import { verifies } from "../../verifies.ts";

const content = { "multipart/form-data": { schema: {} } };
const DOCUMENT = {
  openapi: "3.1.0",
  info: { title: "Shop", version: "7" },
  paths: {
    "/orders": { get: { responses: {} } },
    "/scans": { post: { requestBody: { required: true, content }, responses: {} } },
  },
};

/** The exit code, and the sentence where there is one. */
async function ended(...args: readonly string[]): Promise<[number, string]> {
  try {
    return [await toolsImportOpenapi.run(parseGiven(toolsImportOpenapi, args)), ""];
  } catch (error) {
    if (error instanceof Stop) return [error.code, error.message];
    throw error;
  }
}

verifies("import.choice", "what cannot be had is said by name: exit 1, 2 or 4", async () => {
  const folder = testFolder();
  const file = put(folder, "openapi.json", JSON.stringify(DOCUMENT));
  const broken = put(folder, "broken.json", "{}");
  const shop = ["--connector", "shop", "--tools", `${folder}/tools`];
  expect(await ended(file, ...shop, "--operation", "POST /scans", "--json")).toEqual([1, ""]);
  for (const [args, code, says] of [
    [[file, ...shop, "--operation", "GET /order"], 2, 'no operation "GET /order"'],
    [[broken, ...shop, "--operation", "GET /x"], 2, "(document_not_openapi)"],
    [[`${folder}/gone.json`, ...shop], 4, "(document_unreachable)"],
    [[file, "--connector", "../shop"], 2, "--connector is missing"],
    [[file], 2, "--connector is missing"],
    [["--connector", "shop"], 2, "FILE_OR_URL is missing"],
  ] as const) {
    const [exit, message] = await ended(...args);
    expect(message).toContain(says);
    expect(exit).toBe(code);
  }
  expect(readdirSync(folder).toSorted()).toEqual(["broken.json", "openapi.json"]);
});

verifies("import.never-overwrites", "a tool keeps the name that a human gave it", async () => {
  const folder = testFolder();
  const file = put(folder, "openapi.json", JSON.stringify(DOCUMENT));
  put(folder, "tools/shop/look_up.tool.yaml", "name: look_up\noperation: GET /orders\n");
  const shop = ["--connector", "shop", "--tools", `${folder}/tools`, "--operation", "GET /orders"];
  expect(await ended(file, ...shop)).toEqual([0, ""]);
  expect(readdirSync(`${folder}/tools/shop`).toSorted()).toEqual([
    "connector.yaml",
    "look_up.tool.yaml",
  ]);
});
