// What a tool's author has: the schema that an agent will see, and a run as nobody.
import { expect } from "vitest";
import { put, testFolder } from "../setup/minimal.ts";
import { verifies } from "../verifies.ts";
import { doorless, jsonLines } from "./command.ts";

const PAGE = {
  items: [{ id: 9, title: "A deal", customer_id: 7, amount: 5, currency: "EUR" }],
  next_cursor: null,
};

verifies("sandbox.author", "tools show prints what tools/list will say", async () => {
  const ran = await doorless(["tools", "show", "tools/crm/crm_pipeline_summary.tool.ts"]);
  expect(ran).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(ran.stdout)).toMatchObject({
    name: "crm_pipeline_summary",
    inputSchema: { properties: { largest: { type: "integer", default: 3 } } },
    annotations: { readOnlyHint: true },
  });
  const none = await doorless(["tools", "show", "crm_nothing"]);
  expect(none).toMatchObject({ code: 2, stdout: "" });
  expect(none.stderr).toContain("no such tool");
});

verifies("sandbox.author", "tools try runs a tool against the author's answers", async () => {
  const answers = { "GET /crm/deals": PAGE, "GET /crm/customers/7": { id: 7, name: "Kestrel" } };
  const file = put(testFolder(), "answers.json", JSON.stringify(answers));
  const args = ["tools", "try", "crm_pipeline_summary", '{"stages":["lead"]}', "--answers", file];
  const ran = await doorless([...args, "--json"]);
  expect(ran).toMatchObject({ code: 0, stderr: "" });
  const [said] = jsonLines<Record<string, unknown>>(ran);
  expect(said).toEqual({
    result: {
      stages: [{ stage: "lead", deals: 1, amount: 5 }],
      open_amount: 5,
      currency: "EUR",
      largest: [{ id: 9, title: "A deal", customer: "Kestrel", amount: 5 }],
    },
    requests: ["GET /crm/deals?stage=lead&limit=50", "GET /crm/customers/7"],
    log: [{ message: "summed up", fields: { stages: 1, open: 1 } }],
  });
});

verifies("sandbox.author", "tools try says what is missing, and what is wrong", async () => {
  const bare = await doorless(["tools", "try", "crm_pipeline_summary", "--json"]);
  expect(bare.code).toBe(5);
  expect(bare.stdout).toContain("--answers has none for GET /crm/deals");
  const wrong = await doorless(["tools", "try", "crm_pipeline_summary", '{"largest":99}']);
  expect(wrong).toMatchObject({ code: 2, stdout: "" });
  expect(wrong.stderr).toContain("/largest: expected at most 10");
  const data = await doorless(["tools", "try", "crm_get_deal", '{"id":1}']);
  expect(data.stderr).toContain("is not written in code");
});
