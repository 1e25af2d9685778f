// An API that gives the user's token back, openly or in disguise: the agent never sees it.
import { afterAll, beforeAll, beforeEach, describe, expect } from "vitest";
import type { ServerResponse } from "node:http";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { ITEM } from "../setup/hostile-peer.ts";
import { callTool } from "../setup/mcp-post.ts";
import { expectNoEcho } from "../setup/strangers.ts";
import { verifies } from "../verifies.ts";

let boundary: Boundary;
let token: string;

beforeAll(async () => {
  boundary = await openBoundary();
  token = await boundary.token("desk");
});

beforeEach(() => boundary.api.behave());

afterAll(() => boundary.close());

const JSON_TYPE = { "content-type": "application/json" };
type Echo = (res: ServerResponse, downstream: string) => unknown;

const say =
  (body: (token: string) => unknown, status = 200): Echo =>
  (res, downstream) =>
    res.writeHead(status, JSON_TYPE).end(JSON.stringify(body(downstream)));

const escaped = (text: string): string =>
  text.replaceAll(/./g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

const percented = (text: string): string =>
  text.replaceAll(/[^a-z0-9]/gi, (c) => `%${c.charCodeAt(0).toString(16)}`);

const inHeader =
  (name: string, status = 200): Echo =>
  (res, downstream) =>
    res.writeHead(status, { ...JSON_TYPE, [name]: downstream }).end(JSON.stringify(ITEM));

const ECHOES: Readonly<Record<string, Echo>> = {
  "a field that is returned": say((t) => ({ ...ITEM, name: t })),
  "the middle of a text": say((t) => ({ ...ITEM, name: `you sent Bearer ${t}, thanks` })),
  "a field that is dropped": say((t) => ({ ...ITEM, debug: { headers: [t] } })),
  "a key": say((t) => ({ ...ITEM, [t]: 1 })),
  "an error": say((t) => ({ error: t }), 500),
  "a body that is no JSON": (res, t) => res.writeHead(200, JSON_TYPE).end(`token=${t}`),
  "JSON escapes": (res, t) =>
    res.writeHead(200, JSON_TYPE).end(`{"id":"7","name":"${escaped(t)}"}`),
  "JSON escapes of one letter": (res, t) =>
    res.writeHead(200, JSON_TYPE).end(`{"id":"7","name":"\\u0065${t.slice(1)}"}`),
  "an escaped key": (res, t) =>
    res.writeHead(200, JSON_TYPE).end(`{"id":"7","name":"x","${escaped(t)}":1}`),
  "percent-encoding": say((t) => ({ ...ITEM, name: `/?token=${percented(t)}` })),
  "percent-encoding in JSON escapes": (res, t) =>
    res
      .writeHead(200, JSON_TYPE)
      .end(`{"id":"7","name":"${percented(t).replaceAll("%", escaped("%"))}"}`),
  "percent-encoding in a header": (res, t) =>
    res.writeHead(200, { ...JSON_TYPE, link: `</?token=${percented(t)}>` }).end("{}"),
  "a header": inHeader("x-debug"),
  "the request id": inHeader("x-request-id"),
  "a header of an error": inHeader("www-authenticate", 401),
  "a cookie": inHeader("set-cookie"),
  "a redirect": inHeader("location", 302),
  "pieces over several writes": (res, t) => {
    res.writeHead(200, JSON_TYPE).write(`{"id":"7","name":"${t.slice(0, 50)}`);
    setImmediate(() => res.end(`${t.slice(50)}"}`));
  },
};

describe("a token that comes back in", () => {
  for (const [where, echo] of Object.entries(ECHOES)) {
    verifies("broker.token-echo", `${where} is withheld, for a read and a write`, async () => {
      for (const [tool, effect] of [
        ["item_get", "none"],
        ["item_rename", "unknown"],
      ] as const) {
        let downstream = "";
        boundary.api.answer = (res, { headers }) => {
          downstream = (headers.authorization ?? "").replace("Bearer ", "");
          return echo(res, downstream);
        };
        const args = tool === "item_get" ? { id: "7" } : { id: "7", name: "x" };
        const bearer = `Bearer ${token}`;
        const called = await callTool(`${boundary.url}/mcp/desk`, bearer, tool, args);
        expect(called.error).toMatchObject({ code: "credential_exposed", effect });
        expect(called.error?.who_can_fix).toBe("operator");
        expect(downstream).toMatch(/^eyJ/);
        const ledger = JSON.stringify(boundary.ledger());
        expectNoEcho(downstream, called.text, ledger, boundary.logged());
      }
    });
  }

  verifies("broker.token-echo", "nothing is an answer like any other", async () => {
    const called = await callTool(`${boundary.url}/mcp/desk`, `Bearer ${token}`, "item_get", {
      id: "7",
    });
    expect(called.result).toEqual(ITEM);
  });
});
