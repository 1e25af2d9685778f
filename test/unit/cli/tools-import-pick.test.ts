// The list that a person picks operations from, over streams as a terminal has them.
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { expect } from "vitest";
import { listOperations } from "../../../src/catalog/openapi/listing.ts";
import { chosenFrom, namedAmong, tagsOf } from "../../../src/cli/tools-import-pick.ts";
import { documentOf } from "../../setup/openapi.ts";
import { verifies } from "../../verifies.ts";

const operation = (tag: string, summary: string, operationId: string) => ({
  tags: [tag],
  summary,
  operationId,
});
const LISTED = listOperations(
  documentOf({
    openapi: "3.0.0",
    paths: {
      "/deals": { get: operation("crm", "Deals by stage", "searchDeals") },
      "/deals/{id}": {
        get: operation("crm", "One deal", "getDeal"),
        patch: operation("crm", "Move a deal", "updateDeal"),
      },
      "/invoices/{id}": {
        get: { ...operation("billing", "One invoice", "getInvoice"), deprecated: true },
      },
    },
  }),
);

async function picked(
  ...lines: readonly string[]
): Promise<{ keys: string[] | undefined; said: string }> {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const said = text(output);
  input.end(lines.map((line) => `${line}\n`).join(""));
  const chosen = await chosenFrom(LISTED, input, output);
  output.end();
  return { keys: chosen?.map(({ key }) => key), said: await said };
}

verifies("import.choice", "nothing is chosen where nobody chooses", async () => {
  for (const lines of [
    [],
    ["done"],
    ["deal", "done"],
    ["1", "quit"],
    ["1", "1", "done"],
    ["9", "done"],
  ]) {
    expect((await picked(...lines)).keys, lines.join()).toBeUndefined();
  }
});

verifies(
  "import.choice",
  "a list is grouped by tag, searched by words and picked by numbers",
  async () => {
    expect(tagsOf(LISTED)).toEqual([
      ["crm", "3"],
      ["billing", "1"],
    ]);
    const { keys, said } = await picked("deal move", "3", "1-2 4", "2", "list", "done");
    expect(keys).toEqual(["GET /deals", "PATCH /deals/{id}", "GET /invoices/{id}"]);
    expect(said).toContain("4 operations");
    expect(said).toMatch(/3 +crm +PATCH \/deals\/\{id\} +Move a deal/);
    expect(said).toContain("deprecated: One invoice");
  },
);

verifies(
  "import.choice",
  "an operation is named by method and path, or as the document calls it",
  () => {
    const { found, unknown } = namedAmong(LISTED, ["get  /deals", "updateDeal", "GET /deal/{id}"]);
    expect(found.map(({ key }) => key)).toEqual(["GET /deals", "PATCH /deals/{id}"]);
    expect(unknown).toHaveLength(1);
    expect(unknown[0]?.asked).toBe("GET /deal/{id}");
    expect(unknown[0]?.near).toContain("GET /invoices/{id}");
  },
);
