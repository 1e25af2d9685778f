// What imported tools send: what their documents describe, with each argument in its place.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import type { DeclarativeTool } from "../../../../src/catalog/definition.ts";
import { operationsOf, propose } from "../../../../src/catalog/openapi/propose.ts";
import { withDocument } from "../../../../src/catalog/openapi/source.ts";
import { buildRequest } from "../../../../src/sandbox/request.ts";
import { API } from "../../../setup/openapi.ts";
import { FOLDER, loaded, skip } from "../../../setup/openapi-corpus.ts";
import { argumentsFor, declarative, judgeRequests, NONE } from "../../../setup/openapi-requests.ts";
import { verifies } from "../../../verifies.ts";

describe("the requests of imported tools", () => {
  for (const name of ["notion-new.json", "figma-new.yaml", "petstore-expanded.json"]) {
    verifies(
      "import.requests",
      `are ones that ${name} describes`,
      async () => {
        await judgeRequests(name);
      },
      { skip, timeout_ms: 120_000 },
    );
  }

  verifies(
    "import.requests",
    "keep every naughty string in its place",
    async () => {
      const file = join(FOLDER, "../blns/blns.json");
      const texts = [...(JSON.parse(readFileSync(file, "utf8")) as string[]), ...TRAVERSALS];
      const options = { allow_private: false, progress: () => undefined };
      await withDocument(join(FOLDER, "petstore-expanded.json"), options, async (document) => {
        const { drafts } = await propose(document, await operationsOf(document), API, NONE);
        for (const tool of loaded(drafts).values()) naughty(declarative(tool), texts);
      });
    },
    { skip },
  );
});

const TRAVERSALS = ["..", ".", "", "../../admin", "%2e%2e", "a/b", "a\\b", "x?y=1#z", "a\r\nb: c"];

function naughty(tool: DeclarativeTool, texts: readonly string[]): void {
  const base = argumentsFor(tool);
  for (const [name, input] of tool.inputs) {
    for (const text of texts) {
      const value = input.in === "query" && input.schema.type === "array" ? [text] : text;
      const request = buildRequest(tool, { ...base, [name]: value });
      // What cannot stand there is refused; what can, stands there and nowhere else.
      if (!request.ok) continue;
      const url = new URL(`https://api.test${request.value.path}`);
      expect(url.pathname.split("/")).toHaveLength(tool.path.split("/").length);
      const known = [...tool.inputs.values()].filter((one) => one.in === "query");
      for (const key of url.searchParams.keys()) expect(known.map(({ as }) => as)).toContain(key);
      expect(url.hash).toBe("");
      expect(Object.values(request.value.headers).join("")).toMatch(/^[\x20-\x7e]*$/);
    }
  }
}
