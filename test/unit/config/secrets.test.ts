// Secrets come by reference, and no setting can hold a credential that users would share.
import { inspect } from "node:util";
import { describe, expect } from "vitest";
import { loadConfig } from "../../../src/config/load.ts";
import { configJsonSchema } from "../../../src/config/schema.ts";
import { verifies } from "../../verifies.ts";
import {
  configFrom,
  minimalConfig,
  problemsOf,
  put,
  SHOP,
  testFolder,
} from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";

const CANARY = "canary-5b1d";

function withSecret(client_secret: string): Json {
  const client = { client_id: "us", client_secret };
  const corp = { issuer: "https://login.test", claims: { roles: "/roles" }, client };
  return minimalConfig({ issuers: { corp } });
}

describe("references", () => {
  verifies("config.secrets-by-reference", "env:NAME is read from the environment", () => {
    const config = configFrom(withSecret("env:CORP_SECRET"), { CORP_SECRET: CANARY });
    expect(config.client_secrets.get("corp")?.reveal()).toBe(CANARY);
  });

  verifies("config.secrets-by-reference", "file:PATH is read from beside the file, trimmed", () => {
    const folder = testFolder();
    put(folder, "keys/corp", `${CANARY}\n`);
    const file = put(folder, "mcp.config.json", JSON.stringify(withSecret("file:keys/corp")));
    expect(loadConfig(file, {}).client_secrets.get("corp")?.reveal()).toBe(CANARY);
  });

  verifies("config.secrets-by-reference", "a configuration never shows what it read", () => {
    const config = configFrom(withSecret("env:CORP_SECRET"), { CORP_SECRET: CANARY });
    expect(JSON.stringify(config) + inspect(config, { depth: 20 })).not.toContain(CANARY);
    const other = configFrom(withSecret("env:CORP_SECRET"), { CORP_SECRET: "another" });
    expect(other.hash).toBe(config.hash);
  });

  for (const [what, ref, environment] of [
    ["a variable that is not set", "env:NOT_SET", {}],
    ["a variable that is empty", "env:EMPTY", { EMPTY: "" }],
    ["a file that is not there", "file:keys/nowhere", {}],
    ["an inherited property of the environment", "env:constructor", {}],
  ] as const) {
    verifies("config.secrets-by-reference", `${what} stops the start`, () => {
      const problems = problemsOf(() => configFrom(withSecret(ref), environment));
      expect(problems).toHaveLength(1);
      expect(problems[0]).toMatchObject({
        pointer: "/issuers/corp/client/client_secret",
        mend: `set it: ${ref}`,
      });
    });
  }

  for (const literal of ["hunter2", "", "ENV:X", "env:", "env:A B", "file:", " env:X"]) {
    verifies(
      "config.secrets-by-reference",
      `the text ${JSON.stringify(literal)} is no reference, and is not repeated`,
      () => {
        const problems = problemsOf(() => configFrom(withSecret(literal)));
        expect(problems).toHaveLength(1);
        expect(problems[0]?.message).toBe("env:NAME or file:PATH, never the secret");
        if (literal === "hunter2") expect(JSON.stringify(problems)).not.toContain(literal);
      },
    );
  }

  verifies("config.secrets-by-reference", "who only asks questions needs no secret", () => {
    const file = put(testFolder(), "mcp.config.json", JSON.stringify(withSecret("env:NOT_SET")));
    expect(loadConfig(file, {}, { secrets: false }).client_secrets.size).toBe(0);
  });
});

// Every property of the schema, wherever it stands.
function* properties(schema: unknown, path = ""): Iterable<[string, string, Json]> {
  if (schema === null || typeof schema !== "object") return;
  const here = schema as Json;
  for (const [name, inner] of Object.entries((here["properties"] ?? {}) as Json)) {
    yield [name, `${path}/${name}`, inner as Json];
  }
  for (const [key, inner] of Object.entries(here)) {
    if (typeof inner === "object") yield* properties(inner, `${path}/${key}`);
  }
}

const SUGGESTS =
  /secret|passw|token|credential|api_?key|auth|bearer|cookie|header|private|cert|assert/i;

describe("no shared credential", () => {
  verifies("config.no-shared-credential", "no name in the schema suggests a shared one", () => {
    const found = [...properties(configJsonSchema())];
    expect(found.length).toBeGreaterThan(60);
    const suspicious = found.filter(([name]) => SUGGESTS.test(name)).map(([name]) => name);
    // How tokens of people are told apart; doorless's own proof at a provider, the provider's
    // places, and how that proof is sent; three bounds; what an operator shows to read /metrics,
    // and doorless to an anchor; and the name, not the value, of the header for a user's own key.
    expect([...new Set(suspicious)].toSorted()).toEqual([
      "allow_private_addresses",
      "auth",
      "authorization",
      "authorization_endpoint",
      "authorization_server",
      "client_secret",
      "header",
      "headers_timeout_ms",
      "metrics_token",
      "result_tokens_max",
      "token_bytes_max",
      "token_endpoint",
      "token_lifetime_s_max",
      "tokens",
    ]);
  });

  verifies("config.no-shared-credential", "each secret is doorless's own, at a provider", () => {
    const places = [...properties(configJsonSchema())].filter(([n]) => n === "client_secret");
    expect(places.map(([, path]) => path)).toEqual([
      "/properties/issuers/additionalProperties/properties/client/client_secret",
      expect.stringMatching(/^\/properties\/connectors\/.*delegation.*\/client\/client_secret$/),
    ]);
    for (const [, , secret] of places) expect(secret["pattern"]).toMatch(/^\^\(\?:env:/);
  });

  for (const key of ["api_key", "token", "headers", "username", "client", "secret", "auth"]) {
    verifies("config.no-shared-credential", `a connector cannot have ${key}`, () => {
      const outside = { shop: { ...SHOP, [key]: "x" } };
      const inside = { shop: { ...SHOP, delegation: { ...SHOP.delegation, [key]: "x" } } };
      for (const connectors of [outside, inside]) {
        const [problem] = problemsOf(() => configFrom(minimalConfig({ connectors })));
        expect(problem?.message).toBe("unknown key");
      }
    });
  }

  verifies("config.no-shared-credential", "an origin cannot carry a user and a password", () => {
    const shop = { ...SHOP, origin: "https://u:p@shop.test" };
    const problems = problemsOf(() => configFrom(minimalConfig({ connectors: { shop } })));
    expect(problems.map(({ pointer }) => pointer)).toEqual(["/connectors/shop/origin"]);
  });

  verifies("config.no-shared-credential", "each way to a downstream token is the person's", () => {
    const schema = configJsonSchema() as { properties: { connectors: Json } };
    const text = JSON.stringify(schema.properties.connectors);
    const kinds = [...text.matchAll(/"const":"([a-z]+)"/g)].map(([, kind]) => kind);
    expect(kinds).toEqual(["exchange", "connection", "key"]);
  });
});
