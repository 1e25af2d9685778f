// Reading the log is on record before anything is read; nobody reads what is not his to read.
import { expect } from "vitest";
import type { Reader } from "../../../src/ledger/query.ts";
import { verifies } from "../../verifies.ts";
import { call, HeldDisk, linesOf, opened } from "./entries.ts";
import { testFolder } from "../../setup/minimal.ts";

const PERSON: Reader = {
  kind: "person",
  issuer: "https://login.test",
  subject: "ada",
  tenant: "acme",
};
const AUDITOR: Reader = { kind: "auditor", tenant: "acme" };

const digestIn = (text: string): string => `hmac-sha256:acme:${text}`;

for (const reader of [PERSON, AUDITOR]) {
  verifies("ledger.readers", `what a ${reader.kind} reads is an event, names aside`, async () => {
    const { ledger, folder } = await opened();
    await call(ledger, "a");
    await call(ledger, "b", { tenant: "globex", subject: "bob" });
    const { records } = await ledger.query({ user: "Ada L.", tool: "item_put", limit: 9 }, reader);
    expect(records.map(({ call_id }) => call_id)).toEqual(["a"]);
    const events = linesOf(folder).filter((line) => line["event"] === "audit_read");
    expect(events.map((line) => line["detail"])).toEqual([
      { reader, filter: { user: digestIn("Ada L."), tool: digestIn("item_put"), limit: 9 } },
    ]);
  });
}

verifies("ledger.readers", "what cannot be recorded is not read", async () => {
  const disk = new HeldDisk();
  const { ledger } = await opened(testFolder(), { openSegment: disk.open });
  await call(ledger, "a");
  disk.fail = "sync";
  await expect(ledger.query({ limit: 9 }, PERSON)).rejects.toThrow(/cannot be written/);
});
