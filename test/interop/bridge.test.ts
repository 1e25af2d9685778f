// The bridge between a client that says anything and a doorless that does anything: in one process,
// so that each moment is the test's to choose.
import { expect } from "vitest";
import {
  _meta,
  acknowledged,
  ada,
  bridgeWorld,
  call,
  changed,
  greets,
  hello,
  listen,
  of_five,
  stream,
} from "../setup/bridge-world.ts";
import { json } from "../setup/hostile-provider.ts";
import { verifies } from "../verifies.ts";

const world = bridgeWorld();

verifies(
  "mcp.stdio-bridge",
  "nothing overtakes the handshake, or what came before it",
  async () => {
    const held = Promise.withResolvers<void>();
    world.answer = async ({ id, method }, res) => {
      if (method === "initialize") await held.promise;
      json(res, 200, { jsonrpc: "2.0", id, result: { protocolVersion: "2025-11-25" } });
    };
    const { say, next, stdin, done } = world.bridge(ada);
    const first = world.next();
    say({ id: 1, ...hello });
    say({ method: "notifications/initialized" });
    say({ id: 2, method: "tools/list" });
    expect(await first).toMatchObject({ method: "initialize" });
    expect(world.methods()).toEqual(["initialize"]);
    held.resolve();
    expect(await next()).toMatchObject({ id: 1 });
    expect(await next()).toMatchObject({ id: 2 });
    expect(world.methods()).toEqual(["initialize", "notifications/initialized", "tools/list"]);
    stdin.end();
    await done;
  },
);

verifies(
  "mcp.stdio-bridge",
  "what still runs when patience ends is cancelled, by its era",
  async () => {
    for (const isModern of [false, true]) {
      const hungUp = Promise.withResolvers<void>();
      world.answer = (_message, res) => void res.once("close", () => hungUp.resolve());
      const { say, stdin, done } = world.bridge(ada, 20);
      const arrived = world.next();
      say({ id: 7, method: "tools/call", params: { name: "x", ...(isModern ? { _meta } : {}) } });
      await arrived;
      stdin.end();
      await done;
      await hungUp.promise;
      const cancelled = world.came.find(({ method }) => method === "notifications/cancelled");
      expect(cancelled?.["params"]).toEqual(
        isModern ? undefined : { requestId: 7, reason: "the client closed its end" },
      );
      world.came.length = 0;
    }
  },
);

verifies("mcp.stdio-bridge", "a request that waits its turn can be cancelled unsent", async () => {
  const held = Promise.withResolvers<void>();
  world.answer = async ({ id }, res) => {
    await held.promise;
    json(res, 200, { jsonrpc: "2.0", id, result: {} });
  };
  const { say, next, stdin, done } = world.bridge(ada);
  say({ id: 1, ...hello });
  say({ id: 2, method: "tools/list" });
  say({ method: "notifications/cancelled", params: { requestId: 2 } });
  say({ id: 3, method: "ping" });
  held.resolve();
  expect([await next(), await next()]).toMatchObject([{ id: 1 }, { id: 3 }]);
  expect(world.methods()).toEqual(["initialize", "ping"]);
  stdin.end();
  await done;
});

verifies(
  ["mcp.stdio-bridge", "resend.once"],
  "a call's key goes on as it came, in either era",
  async () => {
    for (const meta of [{}, _meta]) {
      const { say, next, stdin, done } = world.bridge(ada);
      const keyed = { ...meta, "doorless/idempotency_key": "k \u202e é" };
      say({ id: 9, method: "tools/call", params: { name: "x", arguments: {}, _meta: keyed } });
      expect(await next()).toMatchObject({ id: 9 });
      expect(world.came.at(-1)?.["params"]).toMatchObject({ _meta: keyed });
      stdin.end();
      await done;
    }
  },
);

verifies("mcp.stdio-bridge", "an answer that breaks off is an error, and no silence", async () => {
  world.answer = (_message, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(": so far\n\n");
    res.destroy();
  };
  const { say, next, stdin, done } = world.bridge(ada);
  say({ id: 1, method: "tools/call", params: { name: "x", arguments: {}, _meta } });
  expect(await next()).toMatchObject({
    id: 1,
    error: { data: { error: { code: "internal", effect: "unknown" } } },
  });
  stdin.end();
  await done;
});

verifies(
  "mcp.stdio-bridge",
  "a subscription whose stream ends, or is refused for a while, is taken up again",
  async () => {
    const subscription = { "io.modelcontextprotocol/subscriptionId": 5 };
    const ack = {
      jsonrpc: "2.0",
      method: "notifications/subscriptions/acknowledged",
      params: { _meta: subscription },
    };
    let asked = 0;
    world.answer = (_message, res) => {
      asked++;
      if (asked === 2 || asked === 3) return res.writeHead(503).end();
      res.writeHead(200, { "content-type": "text/event-stream" });
      res.write(`data: ${JSON.stringify(ack)}\n\n`);
      return asked === 1 ? res.end() : undefined;
    };
    const { say, next, stdin, done } = world.bridge(ada);
    const notifications = { toolsListChanged: true };
    say({ id: 5, method: "subscriptions/listen", params: { notifications, _meta } });
    expect(await next()).toEqual(ack);
    // Nothing is said of the end; that it stands again is, as a change that may have been missed.
    const params = { _meta: subscription };
    expect(await next()).toMatchObject({ method: "notifications/tools/list_changed", params });
    expect(asked).toBe(4);
    // One that never stood is refused as any request is.
    world.answer = (_message, res) => res.writeHead(503).end();
    say({ id: 6, method: "subscriptions/listen", params: { notifications, _meta } });
    expect(await next()).toMatchObject({ id: 6, error: { code: 1001 } });
    stdin.end();
    await done;
  },
);

verifies("mcp.stdio-bridge", "a client that reads no more is not waited for", async () => {
  world.answer = () => undefined;
  const { say, stdout, done } = world.bridge(ada);
  const arrived = world.next();
  say({ id: 1, method: "tools/call", params: { name: "x", arguments: {}, _meta } });
  await arrived;
  stdout.destroy();
  await done;
});

verifies("mcp.stdio-bridge", "lines that are no messages are answered, and read over", async () => {
  const { stdin, next, notes, done, say } = world.bridge(ada);
  const lines: readonly [string, number][] = [
    ["not JSON", -32_700],
    ['{"half":', -32_700],
    ["7", -32_600],
    ["[]", -32_600],
    ['{"jsonrpc":"2.0","id":1,"method":7}', -32_600],
  ];
  for (const [line, code] of lines) {
    stdin.write(`${line}\n`);
    expect(await next()).toMatchObject({ jsonrpc: "2.0", id: null, error: { code } });
  }
  expect(notes).toHaveLength(lines.length);
  for (const note of notes) expect(note).not.toMatch(/\n|zod|invalid_/i);
  stdin.write("\n  \r\n");
  say({ id: 2, method: "ping" });
  expect(await next()).toMatchObject({ id: 2 });
  stdin.end();
  await done;
});

verifies(
  "mcp.stdio-bridge",
  "an answer that comes as a stream is the only answer, once the stream ends as well",
  async () => {
    const { say, next, stdin, stdout, done } = world.bridge(ada);
    const closed = Promise.withResolvers<void>();
    world.answer = ({ id }, res) => {
      stream(res, { id, result: { of: id } });
      res.once("close", () => closed.resolve()).end();
    };
    say({ id: 1, ...call });
    expect(await next()).toMatchObject({ id: 1, result: { of: 1 } });
    await closed.promise;
    say({ id: 2, ...call });
    expect(await next()).toMatchObject({ id: 2, result: { of: 2 } });
    stdin.end();
    await done;
    stdout.end();
    await expect(next()).rejects.toThrow();
  },
);

verifies(
  "mcp.stdio-bridge",
  "a subscription that broke off outlives a provider that is away for a moment",
  async () => {
    const { say, next, stdin, done, goAway, notes } = world.bridge(ada);
    let asked = 0;
    world.answer = (_message, res) => {
      stream(res, acknowledged);
      if (++asked > 1) return;
      goAway(2);
      res.end();
    };
    say(listen);
    expect(await next()).toMatchObject(acknowledged);
    expect(await next()).toMatchObject({ ...changed, params: of_five });
    expect(notes).toEqual(["the provider is away", "the provider is away"]);
    stdin.end();
    await done;
  },
);

verifies("mcp.stdio-bridge", "a server that answers no more holds nobody who goes", async () => {
  world.answer = greets;
  const { say, stdin, done } = await world.greeted(ada, 5, 20);
  world.silent = () => undefined;
  world.answer = () => undefined;
  const said = ["tools/call", "tools/call", "notifications/roots/list_changed"];
  for (const id of [7, 8]) say({ id, ...call });
  say({ method: said[2] });
  while (world.came.length < said.length) await world.next();
  stdin.end();
  await done;
  const cancelled = ["notifications/cancelled", "notifications/cancelled"];
  expect(world.methods()).toEqual([...said, ...cancelled, "DELETE"]);
});

verifies("mcp.stdio-bridge", "a token that was refused is renewed while it is hers", async () => {
  const { say, stdin, next, done, refused } = world.bridge(ada);
  world.silent = () => 401;
  say({ id: 1, ...call });
  expect(await next()).toMatchObject({
    id: 1,
    error: { data: { error: { code: "invalid_token" } } },
  });
  expect(refused).toEqual(["ada"]);
  stdin.end();
  await done;
});
