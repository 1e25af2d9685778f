// Each class of mistake stops the start and says file, JSON pointer, line and mend.
import { basename } from "node:path";
import { describe, expect } from "vitest";
import { loadConfig } from "../../../src/config/load.ts";
import { formatProblem } from "../../../src/config/problem.ts";
import { verifies } from "../../verifies.ts";
import {
  configFrom,
  minimalConfig,
  SHOP,
  problemsOf,
  put,
  testFolder,
} from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";

type Path = readonly (string | number)[];

/** The minimal configuration with the value at `path` set, or taken away where it is undefined. */
function changed(path: Path, value: unknown): Json {
  const config = structuredClone(minimalConfig());
  const here = path.slice(0, -1).reduce<Json>((at, key) => at[key] as Json, config);
  const last = String(path.at(-1));
  if (value === undefined) Reflect.deleteProperty(here, last);
  else here[last] = value;
  return config;
}

/** The line, in the text as it is written, on which `needle` first stands. */
function lineOf(config: Json, needle: string): number {
  const lines = JSON.stringify(config, null, 2).split("\n");
  return lines.findIndex((line) => line.includes(needle)) + 1;
}

interface Mistake {
  readonly what: string;
  readonly path: Path;
  readonly value: unknown;
  readonly pointer: string;
  /** Text that stands on the reported line. */
  readonly line: string;
  readonly says: RegExp;
}

const desk = { title: "Desk", purpose: "Read", tools: {} };
const corp = {
  issuer: "https://login.test",
  claims: { roles: "/roles" },
  liveness: { source: "token_lifetime", accepted: true },
};
const shop = SHOP;

const mistake = (
  what: string,
  path: Path,
  value: unknown,
  rest: { pointer: string; line: string; says: RegExp },
): Mistake => ({ what, path, value, ...rest });

const SHAPES: readonly Mistake[] = [
  mistake("an unknown key at the top", ["colour"], "blue", {
    pointer: "/colour",
    line: '"colour"',
    says: /unknown key/,
  }),
  mistake("an unknown key deep inside", ["connectors", "shop", "api_key"], "x", {
    pointer: "/connectors/shop/api_key",
    line: '"api_key"',
    says: /unknown key/,
  }),
  mistake("a wrong type", ["listen", "port"], "8484", {
    pointer: "/listen/port",
    line: '"port"',
    says: /expected number/,
  }),
  mistake("a missing key", ["issuers", "corp", "claims"], undefined, {
    pointer: "/issuers/corp/claims",
    line: '"corp"',
    says: /expected object/,
  }),
  mistake(
    "a bad name",
    ["agents"],
    { "De sk": desk },
    {
      pointer: "/agents/De sk",
      line: '"De sk"',
      says: /bad name: lower-case letters/,
    },
  ),
  mistake(
    "a bad tool name",
    ["agents", "desk", "tools"],
    { "item-get": {} },
    {
      pointer: "/agents/desk/tools/item-get",
      line: '"item-get"',
      says: /bad name: a tool's name/,
    },
  ),
  mistake("a port beyond 65535", ["listen", "port"], 65_536, {
    pointer: "/listen/port",
    line: '"port"',
    says: /65535/,
  }),
  mistake("a negative port", ["listen", "port"], -1, {
    pointer: "/listen/port",
    line: '"port"',
    says: /at least 0/,
  }),
  mistake(
    "no issuer at all",
    ["issuers"],
    {},
    {
      pointer: "/issuers",
      line: '"issuers"',
      says: /name one issuer/,
    },
  ),
  mistake("a public_url with a path", ["public_url"], "https://doors.test/mcp", {
    pointer: "/public_url",
    line: '"public_url"',
    says: /an origin/,
  }),
  mistake("an algorithm that is symmetric", ["issuers", "corp", "algorithms"], ["HS256"], {
    pointer: "/issuers/corp/algorithms/0",
    line: '"HS256"',
    says: /ES256/,
  }),
  mistake("a claim pointer that is a dotted path", ["issuers", "corp", "claims", "roles"], "a.b", {
    pointer: "/issuers/corp/claims/roles",
    line: '"roles": "a.b"',
    says: /a JSON pointer/,
  }),
  mistake(
    "a burst that would take months to come back",
    ["limits"],
    {
      calls_per_user: { calls: 1, per_s: 86_400, burst: 32 },
    },
    {
      pointer: "/limits/calls_per_user/burst",
      line: '"burst"',
      says: /more than 31 days/,
    },
  ),
  mistake(
    "a rate that cannot be counted in whole numbers",
    ["limits"],
    {
      calls_per_user: { calls: 10_007, per_s: 7, burst: 1 },
    },
    {
      pointer: "/limits/calls_per_user/calls",
      line: '"calls"',
      says: /must be round/,
    },
  ),
  mistake(
    "a limit of zero",
    ["http"],
    { body_bytes_max: 0 },
    {
      pointer: "/http/body_bytes_max",
      line: '"body_bytes_max"',
      says: /at least 1/,
    },
  ),
  mistake(
    "tokens in no known form",
    ["agents", "desk", "tokens"],
    { audience: "a" },
    {
      pointer: "/agents/desk/tokens",
      line: '"tokens"',
      says: /fits none of the allowed forms/,
    },
  ),
  mistake(
    "a delegation of an unknown kind",
    ["connectors", "shop", "delegation"],
    {
      kind: "shared_key",
    },
    {
      pointer: "/connectors/shop/delegation/kind",
      line: '"kind"',
      says: /Invalid|fits none/,
    },
  ),
];

const MEANINGS: readonly Mistake[] = [
  mistake(
    "a role at an unknown agent",
    ["roles", "clerk"],
    { attic: "all" },
    {
      pointer: "/roles/clerk/attic",
      line: '"attic"',
      says: /unknown agent "attic"/,
    },
  ),
  mistake("a role with a tool that its agent lacks", ["roles", "guest", "desk"], ["item_burn"], {
    pointer: "/roles/guest/desk/0",
    line: '"item_burn"',
    says: /unknown tool "item_burn"/,
  }),
  mistake("an agent for an unknown issuer", ["agents", "desk", "issuers"], ["other"], {
    pointer: "/agents/desk/issuers/0",
    line: '"other"',
    says: /unknown issuer "other"/,
  }),
  mistake(
    "a person of an unknown issuer",
    ["people"],
    { ada: { issuer: "nobody", roles: [] } },
    {
      pointer: "/people/ada/issuer",
      line: '"issuer": "nobody"',
      says: /unknown issuer "nobody"/,
    },
  ),
  mistake(
    "a person with an unknown role",
    ["people"],
    {
      ada: { issuer: "corp", roles: ["clerk", "owner"] },
    },
    {
      pointer: "/people/ada/roles/1",
      line: '"owner"',
      says: /unknown role "owner"/,
    },
  ),
  mistake(
    "a role map to an unknown role",
    ["issuers", "corp", "roles"],
    { Staff: "boss" },
    {
      pointer: "/issuers/corp/roles/Staff",
      line: '"Staff"',
      says: /unknown role "boss"/,
    },
  ),
  mistake(
    "two entries for one issuer",
    ["issuers"],
    { corp, again: corp },
    {
      pointer: "/issuers/again/issuer",
      line: "",
      says: /the same as \/issuers\/corp/,
    },
  ),
  mistake(
    "an issuer of which nobody says how revocation shows",
    ["issuers", "corp", "liveness"],
    undefined,
    {
      pointer: "/issuers/corp",
      line: '"corp"',
      says: /revocation at this provider/,
    },
  ),
  mistake(
    "asking a provider whose client we are not",
    ["issuers", "corp", "liveness"],
    { source: "introspection" },
    { pointer: "/issuers/corp/liveness", line: '"liveness"', says: /no client of it/ },
  ),
  mistake(
    "waiting for events that are not expected",
    ["issuers", "corp", "liveness"],
    { source: "events", accepted: true },
    { pointer: "/issuers/corp/liveness", line: '"liveness"', says: /none are expected/ },
  ),
  mistake("an issuer over plain http", ["issuers", "corp", "issuer"], "http://login.test", {
    pointer: "/issuers/corp/issuer",
    line: '"http://login.test"',
    says: /is not https/,
  }),
  mistake("an issuer with a query", ["issuers", "corp", "issuer"], "https://login.test/?a=1", {
    pointer: "/issuers/corp/issuer",
    line: '"https://login.test/?a=1"',
    says: /query or fragment/,
  }),
  mistake(
    "a connector over plain http",
    ["connectors", "shop"],
    {
      ...shop,
      origin: "http://shop.test",
    },
    {
      pointer: "/connectors/shop/origin",
      line: '"http://shop.test"',
      says: /is not https/,
    },
  ),
  mistake("a public_url over http that is no loopback", ["public_url"], "http://doors.test", {
    pointer: "/public_url",
    line: '"public_url"',
    says: /is not https/,
  }),
];

describe("a mistake", () => {
  verifies(
    "config.mistake-located",
    "is absent from the configuration that the others bend",
    () => {
      expect(problemsOf(() => configFrom(minimalConfig()))).toEqual([]);
    },
  );

  for (const { what, path, value, pointer, line, says } of [...SHAPES, ...MEANINGS]) {
    verifies("config.mistake-located", `${what} is said with pointer, line and mend`, () => {
      const config = changed(path, value);
      const problems = problemsOf(() => configFrom(config));
      expect(problems.map((problem) => problem.pointer)).toEqual([pointer]);
      const [problem] = problems;
      if (problem === undefined) throw new Error("no problem");
      expect(basename(problem.file)).toBe("mcp.config.json");
      if (line !== "") expect(problem.line).toBe(lineOf(config, line));
      expect(problem.line).toBeGreaterThan(1);
      expect(`${problem.message} ${problem.mend}`).toMatch(says);
      expect(problem.mend).toMatch(/\S/);
      expect(formatProblem(problem)).toContain(`mcp.config.json:${problem.line} ${pointer}: `);
    });
  }
});

describe("a file that is no strict JSON", () => {
  for (const [what, text, line, says] of [
    ["a trailing comma", '{\n  "public_url": "https://a.test",\n}', 3, /expected a key/],
    ["a comment", '{\n  // here\n  "public_url": ""\n}', 2, /expected a key/],
    ["a key twice", '{\n  "data": "a",\n  "tools": "b",\n  "data": "c"\n}', 4, /given twice/],
    ["nothing", "", 1, /unexpected end/],
    ["another format", "public_url: https://a.test", 1, /not a JSON value/],
  ] as const) {
    verifies("config.mistake-located", `${what} stops the start with its line`, () => {
      const problems = problemsOf(() => configFrom(text));
      expect(problems).toHaveLength(1);
      expect(problems[0]).toMatchObject({ pointer: "", line });
      expect(problems[0]?.message).toMatch(says);
      expect(problems[0]?.mend).toMatch(/strict JSON/);
    });
  }

  verifies("config.mistake-located", "bytes that are not UTF-8 stop the start", () => {
    const bytes = Buffer.concat([
      Buffer.from('{"data": "'),
      Buffer.from([0xff]),
      Buffer.from('"}'),
    ]);
    const file = put(testFolder(), "mcp.config.json", bytes);
    expect(problemsOf(() => loadConfig(file, {}))[0]?.message).toMatch(/^not UTF-8/);
  });
});

describe("several mistakes", () => {
  verifies("config.mistake-located", "of one file are all said together", () => {
    const config = minimalConfig({
      colour: "blue",
      listen: { host: "127.0.0.1", port: 99_999 },
      tools: 7,
    });
    const pointers = problemsOf(() => configFrom(config)).map((problem) => problem.pointer);
    expect(pointers.toSorted()).toEqual(["/colour", "/listen/port", "/tools"]);
  });

  verifies("config.mistake-located", "of meaning are all said together, secrets included", () => {
    const config = minimalConfig({
      public_url: "http://doors.test",
      roles: { clerk: { attic: "all" } },
      people: { ada: { issuer: "nobody", roles: ["owner"] } },
      issuers: {
        corp: { ...corp, client: { client_id: "us", client_secret: "env:NOT_THERE" } },
      },
    });
    const pointers = problemsOf(() => configFrom(config)).map((problem) => problem.pointer);
    expect(pointers.toSorted()).toEqual([
      "/issuers/corp/client/client_secret",
      "/people/ada/issuer",
      "/people/ada/roles/0",
      "/public_url",
      "/roles/clerk/attic",
    ]);
  });
});
