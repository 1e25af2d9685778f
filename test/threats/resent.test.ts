// Writes that are sent again, by whoever, over real sockets, some of which are cut.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect } from "vitest";
import { askLocal } from "../../src/console/local.ts";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { toolFiles } from "../setup/boundary-tools.ts";
import { ITEM } from "../setup/hostile-peer.ts";
import { expectReplay, holdAnswer, Sender } from "../setup/resending.ts";
import type { Sent, Write } from "../setup/resending.ts";
import { stopDesk } from "../setup/stop-desk.ts";
import { verifies } from "../verifies.ts";

let boundary: Boundary;
let ada: Sender;

// However long an answer is held here, it is no tool's deadline that ends the call.
const TOOLS = toolFiles()
  .filter(({ name }) => ["item_get", "item_rename", "item_typed"].includes(name))
  .map((tool) => ({ ...tool, limits: { timeout_ms: 60_000, response_bytes_max: 4096 } }));
const AGENT = {
  title: "An agent",
  purpose: "x",
  tokens: { audience: "own" },
  tools: Object.fromEntries(TOOLS.map(({ name }) => [name, {}])),
};

beforeAll(async () => {
  const http = { requests_per_user_max: 256 };
  const world = { tools: TOOLS, agents: { desk: AGENT, garage: AGENT } };
  boundary = await openBoundary({ file: { http }, world });
  ada = Sender.modern(boundary, await boundary.token("desk"));
});
afterEach(() => boundary.api.behave());
afterAll(() => boundary.close());

let used = 0;
/** A write that no other test sends. */
function write(changes: Partial<Write> = {}): Write {
  used++;
  return { args: { id: String(used), name: "a lamp" }, ...changes };
}
const keyed = (changes: Partial<Write> = {}): Write => write({ key: `key ${used}`, ...changes });

const linesOf = (call_id: string) =>
  boundary.ledger().filter((line) => line["call_id"] === call_id);

const codeOf = ({ error }: Sent): unknown => error?.["code"];
const writesSeen = () => boundary.api.seen.filter(({ method }) => method === "PATCH");

/** Sends it twice: the API has the first, and keeps its answer; the second waits for that. */
async function oneWaits(rename: Write) {
  const held = holdAnswer(boundary);
  const first = ada.send(rename);
  await held.arrived;
  const both = [first, ada.send(rename)] as const;
  // What came after it has gone all the way meanwhile.
  for (let i = 0; i < 3; i++) await ada.send({ tool: "item_get", args: { id: "7" } });
  return { both, release: held.release };
}

describe("with a key", () => {
  verifies("resend.once", "a write runs once, and is answered twice alike", async () => {
    const rename = keyed();
    const first = await ada.send(rename);
    expect(first).toMatchObject({ result: ITEM, first: undefined });
    expectReplay(await ada.send(rename), first);
    expectReplay(await ada.send(rename), first);
    // The order of an object's keys is nobody's intention.
    const { id, name } = rename.args;
    expectReplay(await ada.send({ ...rename, args: { name, id } }), first);
    expect(boundary.api.seen).toHaveLength(1);
  });

  verifies("resend.once", "a hundred at once are one call, and all have its answer", async () => {
    const rename = keyed();
    const held = holdAnswer(boundary);
    const all = Promise.all(Array.from({ length: 100 }, () => ada.send(rename)));
    await held.arrived;
    held.release();
    const answers = await all;
    const [first, ...others] = answers.toSorted((a) => (a.first === undefined ? -1 : 1));
    if (first === undefined) throw new Error("no answers");
    expect(first.result).toEqual(ITEM);
    for (const again of others) expectReplay(again, first);
    expect(boundary.api.seen).toHaveLength(1);
  });

  verifies(
    "resend.recorded",
    "what is answered again is a record that names the first",
    async () => {
      const rename = keyed();
      const first = await ada.send(rename);
      const again = await ada.send(rename);
      const [record, ...more] = linesOf(again.call_id);
      expect(more).toEqual([]);
      expect(record).toMatchObject({
        kind: "replay",
        replay_of: first.call_id,
        subject: "ada",
        tool: "item_rename",
        target: `item:${String(rename.args["id"])}`,
        outcome: "ok",
        effect: "none",
        downstream: [],
        result: null,
      });
      expect(linesOf(first.call_id).map(({ kind }) => kind)).toEqual(["intent", "outcome"]);
      // On the disk there is the key's digest, and no key.
      expect(JSON.stringify(boundary.ledger())).not.toContain(String(rename.key));
    },
  );

  verifies("resend.own", "other arguments are refused, and name the first call", async () => {
    const rename = keyed();
    const first = await ada.send(rename);
    const other = await ada.send({ ...rename, args: { ...rename.args, name: "another" } });
    expect(other.error).toMatchObject({
      code: "idempotency_conflict",
      effect: "none",
      retry: "never",
      details: { first_call_id: first.call_id },
    });
    expectReplay(await ada.send(rename), first);
    expect(boundary.api.seen).toHaveLength(1);
  });

  verifies(
    "resend.own",
    "of another session, person, agent or tool it is another key",
    async () => {
      const rename = keyed();
      const first = await ada.send(rename);
      const others: [string, Write?][] = [
        [await boundary.token("desk", { sid: "sign-in-2" })],
        [await boundary.token("desk", { client_id: "planner-ui" })],
        [await boundary.token("desk", { sub: "grace" })],
        [await boundary.token("garage"), { ...rename, agent: "garage" }],
      ];
      for (const [token, its = rename] of others) {
        const sent = await Sender.modern(boundary, token).send(its);
        expect(sent).toMatchObject({ result: ITEM, first: undefined });
      }
      const typed = { ...rename, tool: "item_typed", args: { count: 1 } };
      expect((await ada.send(typed)).first).toBeUndefined();
      expectReplay(await ada.send(rename), first);
      expect(boundary.api.seen).toHaveLength(6);
    },
  );

  verifies("resend.once", "a read runs each time", async () => {
    const get = keyed({ tool: "item_get", args: { id: "7" } });
    expect((await ada.send(get)).first).toBeUndefined();
    expect((await ada.send(get)).first).toBeUndefined();
    expect(boundary.api.seen).toHaveLength(2);
  });

  verifies("resend.own", "each letter of it counts, and what is no text is refused", async () => {
    const rename = write();
    const keys = ["é", "e\u0301", "\u202e", " ", "\u0000", "🔑".repeat(128), "__proto__"];
    for (const key of keys) {
      const first = await ada.send({ ...rename, key });
      expect(first.first, key).toBeUndefined();
      expectReplay(await ada.send({ ...rename, key }), first);
    }
    expect(boundary.api.seen).toHaveLength(keys.length);
    for (const key of ["\ud800", "k".repeat(1_000_000)]) {
      const { protocol_error } = await ada.send({ ...rename, key });
      expect(protocol_error).toMatchObject({ code: -32_602 });
    }
    expect(boundary.api.seen).toHaveLength(keys.length);
  });

  verifies(
    "resend.unknown",
    "what ended unknown is answered so, and does not run again",
    async () => {
      boundary.api.answer = (res) => void res.destroy();
      const rename = keyed();
      const first = await ada.send(rename);
      expect(first.error).toMatchObject({ code: "downstream_unavailable", effect: "unknown" });
      await boundary.api.behave();
      expectReplay(await ada.send(rename), first);
      expect(boundary.api.seen).toEqual([]);
    },
  );

  verifies("resend.once", "what was made and answered wrong is answered so again", async () => {
    boundary.api.answer = (res) =>
      void res.writeHead(200, { "content-type": "application/json" }).end('{"id":5}');
    const rename = keyed();
    const first = await ada.send(rename);
    expect(first.error).toMatchObject({ code: "contract_drift", effect: "done", retry: "never" });
    await boundary.api.behave();
    expectReplay(await ada.send(rename), first);
    expect(boundary.api.seen).toEqual([]);
  });

  verifies("resend.nothing-ran", "what was refused before anything ran runs", async () => {
    boundary.provider.on.token = (_req, res) => void res.writeHead(503).end();
    const rename = keyed();
    const refused = await ada.send(rename);
    expect(refused.error).toMatchObject({ code: "delegation_unavailable", effect: "none" });
    delete boundary.provider.on.token;
    expect(await ada.send(rename)).toMatchObject({ result: ITEM, first: undefined });
    const bad = keyed({ args: { id: "7" } });
    expect((await ada.send(bad)).error?.["code"]).toBe("invalid_arguments");
    const mended = { ...bad, args: { id: "7", name: "a lamp" } };
    expect(await ada.send(mended)).toMatchObject({ result: ITEM, first: undefined });
  });

  verifies("resend.checked", "a lock and an ending are obeyed; a lifted lock is gone", async () => {
    const desk = stopDesk(boundary);
    const token = await boundary.token("desk", { sid: "sign-in-3" });
    const her = Sender.modern(boundary, token);
    const rename = keyed();
    const first = await her.send(rename);
    for (const what of ["tool:item_rename", "agent:desk"]) {
      await desk.lock(what);
      expect((await her.send(rename)).error, what).toMatchObject({ code: "locked" });
      await desk.unlock(what);
    }
    expectReplay(await her.send(rename), first);
    await desk.kill(String(linesOf(first.call_id)[0]?.["session"]));
    expect((await her.send(rename)).status).toBe(401);
    expect(boundary.api.seen).toHaveLength(1);
  });

  verifies("resend.checked", "who waits for the first loses access, and gets nothing", async () => {
    const desk = stopDesk(boundary);
    const rename = keyed();
    const { both, release } = await oneWaits(rename);
    await desk.lock("tool:item_rename");
    release();
    const answers = await Promise.all(both);
    expect(answers.map(codeOf)).toEqual(["access_revoked", "access_revoked"]);
    // It did not wait for the first one's end, which is no answer of its own.
    const kinds = answers.map(({ call_id }) => linesOf(call_id).map(({ kind }) => kind));
    expect(kinds).toEqual([["intent", "outcome"], ["refusal"]]);
    await desk.unlock("tool:item_rename");
    // Whatever came of it, it was told, and stays so.
    expect(codeOf(await ada.send(rename))).toBe("access_revoked");
    expect(writesSeen()).toHaveLength(1);
  });

  verifies("resend.restart", "a restart changes nothing: the same answer, once run", async () => {
    const rename = keyed();
    const first = await ada.send(rename);
    await boundary.restart();
    expectReplay(await ada.send(rename), first);
    expect(boundary.api.seen).toHaveLength(1);
  });

  verifies("resend.bounded", "what is kept is sealed, and gone with the time for it", async () => {
    const rename = keyed({ args: { id: "canary-id", name: "canary-name" } });
    boundary.api.answer = (res) => void res.end('{"id":"canary-id","name":"canary-text"}');
    await ada.send(rename);
    const files = readdirSync(boundary.data).filter((name) => name.startsWith("answers"));
    expect(files).toContain("answers.sqlite");
    for (const name of files) {
      const bytes = readFileSync(join(boundary.data, name), "latin1");
      expect(bytes, name).not.toContain("canary");
    }
    boundary.pass(500_000);
    expect((await ada.send(rename)).first).toBeDefined();
    boundary.pass(101_000);
    expect((await ada.send(rename)).first).toBeUndefined();
    expect(boundary.api.seen).toHaveLength(2);
  });

  verifies("resend.checked", "a rule that came since counts, also while one waits", async () => {
    const rename = keyed();
    const first = await ada.send(rename);
    const { both, release } = await oneWaits(keyed());
    let before: Record<string, unknown> = {};
    await boundary.reconfigure((file) => {
      before = file;
      const agents = file["agents"] as Record<string, { tools: object }>;
      const item_rename = { arguments: { name: { enum: ["another"] } } };
      const desk = { ...agents["desk"], tools: { ...agents["desk"]?.tools, item_rename } };
      return { ...file, agents: { ...agents, desk } };
    });
    release();
    const answers = await Promise.all(both);
    const refused = await ada.send(rename);
    await boundary.reconfigure(() => before);
    // Each is refused for itself: neither is told what the other was.
    for (const answer of answers) {
      expect(answer.error).toMatchObject({ code: "access_revoked", effect: "done" });
      expect(answer.first).toBeUndefined();
    }
    expect(codeOf(refused)).toBe("argument_not_allowed");
    expectReplay(await ada.send(rename), first);
    expect(writesSeen()).toHaveLength(2);
  });

  verifies(
    "resend.bounded",
    "an erased person's answer is lost, and runs no second time",
    async () => {
      const her = Sender.modern(boundary, await boundary.token("desk", { sub: "joan" }));
      const rename = keyed();
      const first = await her.send(rename);
      const asked = { os_user: "a test", subject: "joan", reason: "a test" };
      await askLocal(boundary.data, "core", "/audit/erase", asked);
      const again = await her.send(rename);
      expect(again.error).toMatchObject({
        code: "answer_lost",
        effect: "done",
        retry: "never",
        call_id: first.call_id,
        details: { first_call_id: first.call_id },
      });
      expect(again.first).toBe(first.call_id);
      expect(boundary.api.seen).toHaveLength(1);
    },
  );

  verifies("resend.downstream", "the API gets one too, the same one each time", async () => {
    const rename = keyed();
    await ada.send(rename);
    boundary.pass(601_000);
    await ada.send(rename);
    await ada.send(write());
    await ada.send(write({ tool: "item_get", args: { id: "7" } }));
    const garage = Sender.modern(boundary, await boundary.token("garage"));
    await garage.send({ ...rename, agent: "garage", args: { ...rename.args, name: "another" } });
    const keys = boundary.api.seen.map(({ headers }) => headers["idempotency-key"]);
    expect(keys[0]).toMatch(/^[\w-]{43}$/);
    expect(keys[1]).toBe(keys[0]);
    expect(keys[2]).toMatch(/^[\w-]{43}$/);
    expect(keys[2]).not.toBe(keys[0]);
    expect(keys[3]).toBeUndefined();
    // Her other agent gets no answer of this one's, whatever its key.
    expect(keys[4]).toMatch(/^[\w-]{43}$/);
    expect(keys[4]).not.toBe(keys[0]);
  });
});

for (const era of ["modern", "legacy"] as const) {
  describe(`a connection that is cut, ${era}`, () => {
    let her: Sender;
    beforeAll(async () => {
      her = await Sender[era](boundary, await boundary.token("desk", { sid: `cut-${era}` }));
    });

    verifies("resend.hung-up", "what was heard is over: the same call is another one", async () => {
      const rename = write();
      expect((await her.send(rename)).first).toBeUndefined();
      expect((await her.send(rename)).first).toBeUndefined();
      expect(boundary.api.seen).toHaveLength(2);
    });

    verifies(
      "resend.hung-up",
      "cut again and again it is one call, until it is heard",
      async () => {
        const rename = write();
        const held = holdAnswer(boundary);
        await her.sendAndCut(rename, held.arrived);
        // Each is cut in its turn, wherever it is by then.
        for (let i = 0; i < 3; i++) {
          const read = her.send({ tool: "item_get", args: { id: "7" } });
          await her.sendAndCut(rename, read);
        }
        const last = her.send(rename);
        held.release();
        const answer = await last;
        const writes = boundary.api.seen.filter(({ method }) => method === "PATCH");
        expect(answer.first).toBe(writes[0]?.headers["x-request-id"]);
        expect(writes).toHaveLength(1);
        expect((await her.send(rename)).first).toBeUndefined();
      },
    );

    for (const [how, make] of [
      ["with a key", keyed],
      ["without one", write],
    ] as const) {
      verifies(
        ["resend.hung-up", "resend.once"],
        `${how}, after the change: sent again at once, it waits and gets the first answer`,
        async () => {
          const rename = make();
          const held = holdAnswer(boundary);
          await her.sendAndCut(rename, held.arrived);
          const again = her.send(rename);
          held.release();
          const answer = await again;
          expect(answer).toMatchObject({ result: ITEM });
          expect(answer.first).toBe(boundary.api.seen[0]?.headers["x-request-id"]);
          expect(boundary.api.seen).toHaveLength(1);
        },
      );
    }
  });
}
