// A record as OCSF 1.9.0 has it: what collectors of events read, so it changes on purpose only.
import { expect } from "vitest";
import { ocsfOf } from "../../src/cli/ocsf.ts";
import { asked, call, opened, refusalOf } from "../unit/ledger/entries.ts";
import { verifies } from "../verifies.ts";

/** What the schema requires of API Activity, and of the objects in it. */
const REQUIRED = {
  activity_id: 99,
  category_uid: 6,
  class_uid: 6003,
  type_uid: 600_399,
  severity_id: 1,
  metadata: { version: "1.9.0", product: { name: "doorless", vendor_name: "doorless" } },
  src_endpoint: { uid: "ses_1", svc_name: "an-ide" },
};

verifies(
  "ledger.export",
  "an OCSF event is an API Activity, and nothing of the record is lost",
  async () => {
    const { ledger, clock } = await opened();
    await call(ledger, "a");
    const [record] = (await asked(ledger, { limit: 1 })).records;
    if (record === undefined) throw new Error("no record");
    const event = ocsfOf(record);
    expect(event).toMatchObject({
      ...REQUIRED,
      time: clock.ms,
      count: 1,
      status_id: 1,
      actor: {
        user: { uid: "ada", name: "Ada L.", domain: "https://login.test", org: { uid: "acme" } },
      },
      api: { operation: "tools/call", service: { name: "mcp/desk" }, request: { uid: "a" } },
      resources: [
        { type: "tool", name: "item_put" },
        { type: "record", uid: "item:7" },
      ],
    });
    const text = JSON.stringify(event);
    for (const value of Object.values(record)) {
      if (value !== null && typeof value !== "number")
        expect(text).toContain(JSON.stringify(value));
    }
  },
);

verifies(
  "ledger.export",
  "refusals that were counted are one OCSF event with their count",
  async () => {
    const { ledger } = await opened();
    const tool = { sealed: `key_${"x".repeat(16)}.${"y".repeat(40)}`, digest: "hmac", chars: 9 };
    for (let i = 0; i < 9; i++) await ledger.refusal(refusalOf(`r${i}`, { tool, tenant: null }));
    const { records } = await asked(ledger, { limit: 1 });
    expect(records.map(ocsfOf)).toMatchObject([
      {
        ...REQUIRED,
        count: 4,
        status_id: 2,
        status: "Failure",
        status_code: "rate_limited",
        resources: [{ type: "tool", name: "(unknown)" }, { type: "record" }],
        unmapped: { doorless: { tool } },
      },
    ]);
    expect(JSON.stringify(records.map(ocsfOf))).not.toContain("tenant_uid");
  },
);
