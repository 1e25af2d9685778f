// What the front decides before anything is parsed: sites, narrowing headers, bodies, small pages.
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { Metrics } from "../../../src/telemetry/metrics.ts";
import { bearerOf, createGuards, isLocal, parseBody, readBody } from "../../../src/web/guards.ts";
import { narrowingOf } from "../../../src/web/narrowing.ts";
import { createPages } from "../../../src/web/pages.ts";
import { verifies } from "../../verifies.ts";
import { configFrom, minimalConfig } from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";

const config = (changes: Json = {}) => configFrom(minimalConfig(changes));

function incoming(headers: Json, body: readonly Buffer[] = [], remoteAddress = "127.0.0.1") {
  const given = Object.entries(headers).filter(([, value]) => value !== undefined);
  const headersDistinct = Object.fromEntries(given.map(([name, value]) => [name, [value].flat()]));
  const parts = { headers, headersDistinct, socket: { remoteAddress } };
  return Object.assign(Readable.from(body), parts) as unknown as IncomingMessage;
}

describe("Host and Origin", () => {
  const judged = (headers: Json, changes: Json = {}): boolean =>
    createGuards(config(changes), 8484).site(incoming(headers)).ok;

  verifies("auth.host-and-origin", "our own hosts pass, in any case; others do not", () => {
    for (const host of ["doors.test", "DOORS.test", "127.0.0.1:8484", "localhost:8484"]) {
      expect(judged({ host }), host).toBe(true);
    }
    for (const host of [
      undefined,
      "",
      "evil.test",
      "127.0.0.1",
      "doors.test.evil",
      "x@doors.test",
    ]) {
      expect(judged({ host }), host).toBe(false);
    }
  });

  verifies("auth.host-and-origin", "loopback names are ours only where we listen there", () => {
    const listen = { host: "0.0.0.0", port: 8484 };
    expect(judged({ host: "127.0.0.1:8484" }, { listen })).toBe(false);
    expect(judged({ host: "doors.test" }, { listen })).toBe(true);
  });

  verifies(
    "auth.host-and-origin",
    "an Origin passes only where it is listed, letter by letter",
    () => {
      const host = "doors.test";
      const changes = { allowed_origins: ["https://app.test"] };
      for (const origin of ["https://doors.test", "https://app.test"]) {
        expect(judged({ host, origin }, changes), origin).toBe(true);
      }
      for (const origin of ["null", "", "http://doors.test", "https://app.test.evil", "*"]) {
        expect(judged({ host, origin }, changes), origin).toBe(false);
      }
    },
  );
});

describe("narrowing headers", () => {
  verifies("surface.narrowing", "names are listed with commas; an empty list is no tool", () => {
    const tools = (value: string | string[]) => [
      ...(narrowingOf({ "doorless-tools": value }).tools ?? ["(all)"]),
    ];
    expect(tools("a, b ,c")).toEqual(["a", "b", "c"]);
    expect(tools("")).toEqual([""]);
    expect(tools(["a", "b"])).toEqual(["a", "b"]);
    expect(narrowingOf({})).toEqual({ tools: undefined, read_only: false });
  });

  verifies("surface.narrowing", "only a clear false does not narrow to reading", () => {
    const readOnly = (value: string): boolean =>
      narrowingOf({ "doorless-read-only": value }).read_only;
    for (const value of ["true", "TRUE", "1", "yes", "", "flase", "false;"]) {
      expect(readOnly(value), value).toBe(true);
    }
    for (const value of ["false", " False "]) expect(readOnly(value), value).toBe(false);
  });
});

describe("bodies", () => {
  verifies("bad-input.bodies", "a body is counted while it comes, whatever it claims", async () => {
    const read = async (bytes: number, headers: Json = {}): Promise<string | number> => {
      const chunks = Array.from({ length: bytes / 10 }, () => Buffer.alloc(10));
      const body = await readBody(incoming(headers, chunks), 100);
      return body.ok ? body.value.length : body.refusal.code;
    };
    expect(await read(100)).toBe(100);
    expect(await read(110)).toBe("request_too_large");
    expect(await read(110, { "content-length": "10" })).toBe("request_too_large");
    expect(await read(0, { "content-length": "101" })).toBe("request_too_large");
  });

  verifies("bad-input.bodies", "depth and keys of the configuration bound a body", () => {
    const at = config({ http: { depth_max: 2, keys_max: 3 } });
    const parsed = (text: string): unknown => {
      const body = parseBody(Buffer.from(text), at);
      return body.ok ? body.value : body.refusal.code;
    };
    expect(parsed("[[1]]")).toEqual([[1]]);
    for (const text of ["[[[]]]", '{"a":1,"b":2,"c":3,"d":4}', '{"a":1,"a":1}', "{", ""]) {
      expect(parsed(text), text).toBe("parse_error");
    }
    expect(parseBody(Buffer.from([0x22, 0xff, 0x22]), at).ok).toBe(false);
  });
});

describe("a bearer token", () => {
  const token = (headers: Json): string | undefined => bearerOf(incoming(headers))?.reveal();

  verifies("auth.challenge", "is one Authorization line's; of two, neither", () => {
    expect(token({ authorization: "Bearer abc" })).toBe("abc");
    expect(token({ authorization: "bearer  abc" })).toBe("abc");
    for (const authorization of ["", "abc", "Bearer ", "Bearer a b", "Basic abc"]) {
      expect(token({ authorization }), authorization).toBeUndefined();
    }
    expect(token({})).toBeUndefined();
    expect(token({ authorization: ["Bearer abc", "Bearer def"] })).toBeUndefined();
  });
});

describe("this machine itself", () => {
  const local = (headers: Json, address = "127.0.0.1"): boolean =>
    isLocal(incoming({ host: "127.0.0.1:8484", ...headers }, [], address));

  verifies("house.health", "is loopback, asked for as loopback, through no proxy", () => {
    expect(local({})).toBe(true);
    expect(local({ host: "localhost:8484" }, "::ffff:127.0.0.1")).toBe(true);
    expect(local({ host: "[::1]:8484" }, "::1")).toBe(true);
    expect(local({}, "10.0.0.1")).toBe(false);
    expect(local({ host: "doors.test" })).toBe(false);
    for (const name of ["forwarded", "x-forwarded-for", "via"]) {
      expect(local({ [name]: "1.2.3.4" }), name).toBe(false);
    }
  });
});

describe("pages", () => {
  const page = async (path: string, options: { local?: boolean; ready?: boolean } = {}) => {
    const { local = true, ready = true } = options;
    const pages = createPages(config(), new Metrics(), () => ready);
    const response = await pages(path, "GET", local);
    return { status: response.status, text: await response.text() };
  };

  verifies(
    "house.health",
    "/healthz says that the process lives, /readyz whether calls pass",
    async () => {
      expect(await page("/healthz")).toEqual({ status: 200, text: '{"status":"ok"}' });
      expect(await page("/readyz")).toEqual({ status: 200, text: '{"status":"ready"}' });
      expect((await page("/healthz", { ready: false })).status).toBe(200);
      expect((await page("/readyz", { ready: false })).status).toBe(503);
    },
  );

  verifies("house.health", "/metrics answers this machine alone", async () => {
    const { status, text } = await page("/metrics");
    expect({ status, first: text.split("\n")[0] }).toEqual({
      status: 200,
      first: "# HELP doorless_calls_total Tool calls by tool and outcome",
    });
    const far = await page("/metrics", { local: false });
    expect(far.status).toBe(403);
    expect(far.text).not.toContain("doorless_");
  });

  test("what is not there is 404, with nothing of ours in it", async () => {
    for (const path of ["/", "/console", "/mcp", "/metrics/", "/.well-known/x"]) {
      expect(await page(path)).toEqual({ status: 404, text: '{"error":"not found"}' });
    }
  });
});
