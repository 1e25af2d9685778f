// scratch
import { test, expect } from "vitest";
import { openBoundary } from "../setup/boundary.ts";
import { callTool } from "../setup/mcp-post.ts";
test("x", async () => {
  const b = await openBoundary();
  const t = await b.token("desk");
  for (const [n, a] of [["item_get", {id:"7"}],["item_rename",{id:"7",name:"x"}],["literal_get",{}],["named_get",{}],["metadata_get",{}],["mapped_get",{}],["item_pair",{left:".",right:"."}],["item_find",{q:"a&b",note:"x"}],["nope",{}]] as const) {
    const r = await callTool(`${b.url}/mcp/desk`, `Bearer ${t}`, n, a);
    console.log(n, r.status, r.text);
  }
  console.log(b.api.seen.map((s) => [s.method, s.url, s.body, JSON.stringify(s.headers)]));
  console.log(b.provider.hits, b.ledger().map(l => [l.kind, l.tool, l.outcome, l.error_code].join(" ")));
  console.log(b.logged());
  await b.close();
});
