// `demo set revoke:PERSON`: the provider disables the account and pushes it; what a client sees.
import { afterAll, beforeAll, expect } from "vitest";
import { verifies } from "../verifies.ts";
import { connectHttp } from "./clients.ts";
import type { ClientKind } from "./clients.ts";
import { openWatchedHouse } from "./recorder.ts";
import type { WatchedHouse } from "./recorder.ts";
import { jsonOf, modernWire, olderWire } from "./wire.ts";

let house: WatchedHouse;

beforeAll(async () => {
  house = await openWatchedHouse();
});

afterAll(() => house.close());

const sales = (): string => house.urlOf("sales");

verifies(
  ["revocation.pushed", "demo.levers"],
  "every request of hers is a stranger's from then on, in both eras, and nobody else's",
  async () => {
    const [hers, his] = [await house.token("mia", "sales"), await house.token("omar", "sales")];
    const wires = [modernWire(sales(), hers), await olderWire(sales(), hers)];
    for (const wire of wires) expect((await wire.ask("tools/list")).status).toBe(200);
    await house.world.set("revoke:mia");
    for (const wire of wires) {
      for (const method of ["tools/list", "ping", "tools/call"]) {
        const params =
          method === "tools/call" ? { name: "crm_get_deal", arguments: { id: 42 } } : {};
        const { status, headers } = await wire.ask(method, params);
        expect({ method, status }).toEqual({ method, status: 401 });
        expect(headers["www-authenticate"]).toMatch(/^Bearer error="invalid_token".*revoked/);
      }
    }
    const answer = jsonOf(await modernWire(sales(), his).ask("tools/list"));
    expect(answer).toHaveProperty("result.tools");
    await house.world.set("restore:mia");
    const again = modernWire(sales(), await house.token("mia", "sales"));
    expect((await again.ask("tools/list")).status).toBe(200);
    // What she had before stays what it is: over.
    expect((await modernWire(sales(), hers).ask("tools/list")).status).toBe(401);
  },
);

const KINDS: readonly ClientKind[] = ["v1", "v2 pinned"];
for (const kind of KINDS) {
  verifies(
    ["revocation.running", "revocation.pushed"],
    `a slow call of a ${kind} client ends as access_revoked, which the client shows`,
    async () => {
      const client = await connectHttp(kind, sales(), await house.token("omar", "sales"));
      await client.list();
      // The API takes the request and never answers: nothing but the revocation ends the call.
      const held = house.recorder.hold("/crm/deals/43");
      const running = client.call("crm_get_deal", { id: 43 });
      await held.arrived;
      await house.world.set("revoke:omar");
      const { isError, error } = await running;
      await held.hungUp;
      held.release();
      await house.world.set("restore:omar");
      expect({ isError, error }).toMatchObject({
        isError: true,
        error: { code: "access_revoked", effect: "none", who_can_fix: "user" },
      });
      await client.close();
    },
  );
}
