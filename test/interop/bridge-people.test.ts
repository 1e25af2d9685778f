// The bridge while people sign in and out: who is left keeps what is hers, and nobody gets more.
import type { ServerResponse } from "node:http";
import { expect } from "vitest";
import { openUpstream } from "../../src/mcp/side.ts";
import type { SignedIn } from "../../src/mcp/side.ts";
import {
  _meta,
  acknowledged,
  ada,
  bob,
  bridgeWorld,
  call,
  changed,
  event,
  greets,
  hello,
  isNoRequest,
  listen,
  of_five,
  stream,
} from "../setup/bridge-world.ts";
import { json } from "../setup/hostile-provider.ts";
import { verifies } from "../verifies.ts";

const world = bridgeWorld();

verifies(
  ["mcp.stdio-bridge", "sign-in.shared"],
  "who signs in, or another, is greeted anew as herself, and the client told",
  async () => {
    world.answer = ({ id }, res) =>
      json(res, 200, { jsonrpc: "2.0", id, result: { protocolVersion: "2025-11-25" } });
    const { say, next, stdin, done, become } = world.bridge(undefined);
    say({ id: 1, ...hello });
    expect(await next()).toMatchObject({ id: 1, result: { serverInfo: { name: "doorless" } } });
    say({ method: "notifications/initialized" });
    say({ id: 2, method: "tools/list" });
    expect(await next()).toMatchObject({ id: 2, result: { tools: [] } });
    expect(world.came).toEqual([]);
    for (const who of [ada, bob]) {
      become(who);
      expect(await next()).toMatchObject({ method: "notifications/tools/list_changed" });
      const as = `Bearer ${who.token.reveal()}`;
      expect(world.came).toMatchObject([
        { ...hello, as },
        { method: "notifications/initialized", as },
      ]);
      world.came.length = 0;
    }
    become(undefined);
    expect(await next()).toMatchObject({ method: "notifications/tools/list_changed" });
    say({ id: 3, method: "tools/call", params: { name: "x", arguments: {} } });
    expect(await next()).toMatchObject({
      id: 3,
      result: { structuredContent: { error: { code: "login_required" } } },
    });
    expect(world.came).toEqual([]);
    stdin.end();
    await done;
  },
);

verifies(
  ["mcp.stdio-bridge", "sign-in.shared"],
  "a subscription goes along, and its client is told on it, once",
  async () => {
    const streams: ServerResponse[] = [];
    world.answer = (_message, res) => {
      streams.push(res);
      stream(res, acknowledged);
    };
    const { say, next, stdin, done, become } = world.bridge(undefined);
    say(listen);
    expect(await next()).toMatchObject(acknowledged);
    const changed_there = { ...changed, params: of_five };
    const there = world.next();
    become(ada);
    expect(await there).toMatchObject({ id: 5, method: "subscriptions/listen" });
    expect(await next()).toMatchObject(changed_there);
    // What the doorless says on it afterwards arrives; that it stands was said.
    streams[0]?.write(event(changed_there));
    expect(await next()).toMatchObject(changed_there);
    become(undefined);
    expect(await next()).toMatchObject(changed_there);
    stdin.end();
    await done;
  },
);

verifies(
  "mcp.stdio-bridge",
  "a call that runs is still answered after another signs in",
  async () => {
    const held = Promise.withResolvers<void>();
    world.answer = async ({ id, method }, res) => {
      if (method === "tools/call") await held.promise;
      json(res, 200, { jsonrpc: "2.0", id, result: { of: method } });
    };
    const { say, next, stdin, done, become } = world.bridge(ada);
    const arrived = world.next();
    say({ id: 1, method: "tools/call", params: { name: "x", arguments: {}, _meta } });
    await arrived;
    become(undefined);
    say({ id: 2, method: "tools/list", params: { _meta } });
    expect(await next()).toMatchObject({ id: 2, result: { tools: [] } });
    held.resolve();
    expect(await next()).toMatchObject({ id: 1, result: { of: "tools/call" } });
    stdin.end();
    await done;
  },
);

verifies(
  ["mcp.stdio-bridge", "sign-in.shared"],
  "a handshake that fails while somebody signs in is repeated with the next message",
  async () => {
    const { say, next, stdin, done, become } = await world.greeted(undefined, 3_600_000);
    // Refused; an error; half of it; the whole.
    let asked = 0;
    world.answer = (message, res) => {
      if (message["method"] !== "initialize") {
        json(res, 200, { jsonrpc: "2.0", id: message["id"], result: { there: true } });
      } else if (++asked === 1) {
        res.writeHead(503).end();
      } else if (asked === 2) {
        const error = { code: 7, message: "not now" };
        json(res, 200, { jsonrpc: "2.0", id: message["id"], error });
      } else {
        greets(message, res);
      }
    };
    world.silent = (message) => {
      const isHalf = message["method"] === "notifications/initialized" && asked === 3;
      return isHalf ? 503 : isNoRequest(message);
    };
    const there = world.next();
    become(ada);
    expect(await there).toMatchObject({ method: "initialize", as: "Bearer adas" });
    say({ id: 3, method: "tools/list" });
    expect(await next()).toMatchObject({
      id: 3,
      error: { code: 1001, data: { error: { code: "internal" } } },
    });
    say({ id: 4, method: "tools/list" });
    expect(await next()).toMatchObject({
      id: 4,
      error: { code: 1001, data: { error: { code: "identity_unavailable" } } },
    });
    say({ id: 5, method: "tools/list" });
    expect(await next()).toMatchObject(changed);
    expect(await next()).toMatchObject({ id: 5, result: { there: true } });
    stdin.end();
    await done;
    expect(world.methods().filter((method) => method !== "DELETE")).toEqual([
      "initialize",
      "initialize",
      "initialize",
      "notifications/initialized",
      "initialize",
      "notifications/initialized",
      "tools/list",
    ]);
    // The half one's transport session ended as well.
    expect(world.methods().filter((method) => method === "DELETE")).toHaveLength(2);
  },
);

verifies(
  ["mcp.stdio-bridge", "sign-in.shared"],
  "a client that says nothing hears of its tools, too, once the handshake succeeds",
  async () => {
    const { next, stdin, done, become, goAway, notes } = await world.greeted(undefined);
    let asked = 0;
    world.answer = (message, res) =>
      ++asked < 3 ? res.writeHead(503).end() : greets(message, res);
    goAway(1);
    become(ada);
    expect(await next()).toMatchObject(changed);
    expect(notes).toHaveLength(3);
    expect(asked).toBe(3);
    stdin.end();
    await done;
  },
);

verifies(
  ["mcp.stdio-bridge", "sign-in.shared"],
  "an answer to a question goes to whom it was asked by, once, or nowhere",
  async () => {
    world.answer = greets;
    const { say, next, stdin, done, become } = await world.greeted(ada);
    const streams: ServerResponse[] = [];
    // Each side counts its questions from 0.
    const question = { id: 0, method: "elicitation/create", params: { message: "Really?" } };
    world.answer = (message, res) => {
      if (message["method"] === "initialize") return greets(message, res);
      streams.push(res);
      return stream(res, question);
    };
    say({ id: 3, ...call });
    const { id: adas, ...as_asked } = await next();
    expect(as_asked).toMatchObject({ method: question.method, params: question.params });
    become(bob);
    expect(await next()).toMatchObject(changed);
    say({ id: 4, ...call });
    const { id: bobs } = await next();
    expect(bobs).not.toBe(adas);
    say({ id: adas, result: { action: "accept" } });
    say({ id: 0, result: { action: "accept" } });
    for (const action of ["decline", "accept"]) say({ id: bobs, result: { action } });
    // Another one, which bob's side takes back.
    streams[1]?.write(event({ ...question, id: 1 }));
    const { id: second } = await next();
    const params = { requestId: 1, reason: "too late" };
    streams[1]?.write(event({ method: "notifications/cancelled", params }));
    expect(await next()).toMatchObject({
      method: "notifications/cancelled",
      params: { requestId: second, reason: "too late" },
    });
    say({ id: second, result: { action: "accept" } });
    for (const [index, res] of streams.entries()) {
      res.end(event({ id: 3 + index, result: {} }));
      expect(await next()).toMatchObject({ id: 3 + index, result: {} });
    }
    stdin.end();
    await done;
    expect(world.came.filter(({ method }) => method === undefined)).toMatchObject([
      { id: 0, result: { action: "decline" }, as: "Bearer bobs" },
    ]);
  },
);

verifies(
  ["mcp.stdio-bridge", "sign-in.shared"],
  "what is under way at a side that is left is cancelled and ended there, as who she was",
  async () => {
    const cancelled = "notifications/cancelled";
    const adas = { as: "Bearer adas", session: "of Bearer adas" };
    for (const isAtEnd of [false, true]) {
      world.answer = greets;
      world.silent = isNoRequest;
      const { say, stdin, next, done, become, refused } = await world.greeted(ada, 5, 20);
      world.answer = (message, res) =>
        message["method"] === "initialize" ? greets(message, res) : undefined;
      // Her token is worth nothing any more, of which the next person's knows nothing.
      world.silent = (message) =>
        message["method"] === cancelled && message["as"] === adas.as ? 401 : isNoRequest(message);
      const there = world.next();
      say({ id: 7, ...call });
      expect(await there).toMatchObject(adas);
      become(isAtEnd ? undefined : bob);
      expect(await next()).toMatchObject(changed);
      world.came.length = 0;
      if (!isAtEnd) {
        say({ method: cancelled, params: { requestId: 7 } });
        for (const method of [cancelled, cancelled, "DELETE"]) {
          expect(await world.next()).toMatchObject({ method, ...adas });
        }
      }
      stdin.end();
      await done;
      // Twice, as one that is refused may have a better token by then.
      expect(world.came.filter(({ as }) => as === adas.as)).toMatchObject([
        { method: cancelled, params: { requestId: 7 }, ...adas },
        { method: cancelled, params: { requestId: 7 }, ...adas },
        { method: "DELETE", ...adas },
      ]);
      expect(world.came.every(({ as }) => as !== undefined)).toBe(true);
      expect(refused).toEqual([]);
    }
  },
);

verifies(
  ["mcp.stdio-bridge", "sign-in.shared"],
  "with the token of who left, nothing runs: it only cancels and ends",
  async () => {
    world.silent = ({ method, as }) =>
      method === "notifications/cancelled" || as !== undefined ? 202 : 401;
    let now: SignedIn | undefined = ada;
    const refused: unknown[] = [];
    const side = await openUpstream(
      new URL(`${world.origin}/mcp/desk`),
      ada.who,
      {
        command: "doorless login",
        current: async () => now,
        refused: async () => void refused.push(now),
        onChange: () => () => undefined,
      },
      () => undefined,
    );
    const jsonrpc = "2.0";
    await side.send({ jsonrpc, method: "notifications/initialized" });
    for (const next of [bob, undefined]) {
      now = next;
      world.came.length = 0;
      const none = { signal: new AbortController().signal, onEnd: () => undefined };
      for (const as of [{}, { _meta }]) {
        const mine = { jsonrpc, id: 3, ...call, params: { ...call.params, ...as } } as const;
        await expect(side.send(mine, none)).rejects.toThrow();
      }
      for (const said of [
        { jsonrpc, method: "notifications/initialized" },
        { jsonrpc, id: 0, result: { method: "notifications/cancelled", action: "accept" } },
      ] as const) {
        await expect(side.send(said)).rejects.toThrow();
      }
      expect(world.came.map(({ as }) => as)).toEqual(Array.from({ length: 8 }, () => undefined));
      const params = { requestId: 3 };
      await side.send({ jsonrpc, method: "notifications/cancelled", params });
      expect(world.came.at(-1)).toMatchObject({ params, as: "Bearer adas" });
    }
    expect(refused).toEqual([]);
    await side.close();
  },
);
