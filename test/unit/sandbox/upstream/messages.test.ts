// What an MCP server's results hold.
import { expect } from "vitest";
import { resultIn } from "../../../../src/sandbox/upstream/messages.ts";
import { verifies } from "../../../verifies.ts";

verifies("upstream.hostile", "a result with nothing in it is no answer, and no empty one", () => {
  for (const none of [{}, { isError: false }, { content: null }, { content: "fine" }]) {
    expect(resultIn(none), JSON.stringify(none)).toMatchObject({ ok: false, sent: true });
  }
  expect(resultIn({ content: [] })).toMatchObject({ ok: true });
  expect(resultIn({ structuredContent: { a: 1 } })).toMatchObject({ ok: true });
});
