// Which tools a session has: INTERFACE's tables, seen by every client, era and transport.
import { afterAll, beforeAll, expect, test } from "vitest";
import { openHouse } from "../setup/house.ts";
import type { House } from "../setup/house.ts";
import { connectHttp } from "./clients.ts";
import { modernWire, olderWire, jsonOf } from "./wire.ts";

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());
test("x", async () => {
  const url = house.ready.mcp["support"] ?? "";
  const token = await house.token("dana", "support");
  for (const kind of ["v1", "v2 pinned", "v2 automatic"] as const) {
    const c = await connectHttp(kind, url, token);
    console.log(kind, c.version, await c.names(), await c.call("crm_get_customer", { id: 1 }), await c.call("nope").catch((e) => [e.name, e.code, e.message]));
    await c.close();
  }
  const w = modernWire(url, token);
  const o = await olderWire(url, token);
  for (const x of [w, o]) {
    console.log(await x.ask("tools/call", { name: "nope", arguments: {} }));
    console.log(await x.ask("tools/call", { name: "crm_delete_customer", arguments: {} }));
    console.log(await x.ask("tools/call", { name: "nöpe", arguments: {} }));
    console.log(await x.ask("tools/call", { name: "", arguments: {} }));
    console.log(await x.ask("tools/call", { name: "x", arguments: [] }));
    console.log(JSON.stringify(jsonOf(await x.ask("tools/list"))).slice(0,600));
  }
  console.log(await o.end());
  expect(1).toBe(1);
});
