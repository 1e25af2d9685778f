// A person loses access while code runs for her: it ends at once, and so does what it left behind.
import { afterEach, beforeEach, expect } from "vitest";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { toolText } from "../setup/code.ts";
import { callTool } from "../setup/mcp-post.ts";
import { stopDesk } from "../setup/stop-desk.ts";
import type { StopDesk } from "../setup/stop-desk.ts";
import { verifies } from "../verifies.ts";

const PATIENT = { limits: "{ timeout_ms: 60000 }" };
const ASK = 'await api.request("GET /items");';

let boundary: Boundary;
let desk: StopDesk;
let token: string;

beforeEach(async () => {
  boundary = await openBoundary({
    code: {
      counts: toolText("counts", {
        head: "let calls = 0;",
        run: "calls += 1; return { value: String(calls) };",
      }),
      spins: toolText("spins", { change: PATIENT, run: `${ASK} for (;;) {}` }),
    },
    isolation: { code_tools: "process", run_code: "engine", cpu_ms_max: 60_000 },
  });
  desk = stopDesk(boundary);
  token = await boundary.token("desk");
});

afterEach(() => boundary.close());

const call = (name: string, args: object = {}) =>
  callTool(`${boundary.url}/mcp/desk`, `Bearer ${token}`, name, args);
const who = (): string => `user:${boundary.provider.issuer}#ada`;

/** Resolves with the request of the code that runs now. */
function asked(): Promise<void> {
  const arrived = Promise.withResolvers<void>();
  boundary.api.answer = (res) => {
    res.writeHead(200).end('{"id":"7","name":"a lamp"}');
    arrived.resolve();
  };
  return arrived.promise;
}

verifies(
  "sandbox.revoked",
  "a loop that would not end is ended by a lock, as revoked",
  async () => {
    const arrived = asked();
    const running = call("spins");
    await arrived;
    await desk.lock(who(), "ticket 4711");
    const ended = await running;
    expect(ended.error).toMatchObject({ code: "access_revoked", effect: "none" });
    const outcome = boundary
      .ledger()
      .find((line) => line["call_id"] === ended.call_id && line["kind"] === "outcome");
    expect(outcome).toMatchObject({ outcome: "revoked", error_code: "access_revoked" });
  },
);

verifies("sandbox.revoked", "so is generated code, between two of its calls too", async () => {
  const arrived = asked();
  const code = 'await api.item_get({ id: "7" }); for (;;) {}';
  const running = call("run_code", { code });
  await arrived;
  await desk.lock(who());
  expect((await running).error).toMatchObject({ code: "access_revoked" });
});

verifies("sandbox.revoked", "an idle worker of hers is gone when she may go on again", async () => {
  expect((await call("counts")).result).toEqual({ value: "1" });
  expect((await call("counts")).result).toEqual({ value: "2" });
  await desk.lock(who());
  expect((await call("counts")).error).toMatchObject({ code: "locked" });
  await desk.unlock(who());
  expect((await call("counts")).result).toEqual({ value: "1" });
});
