// Each provider's own way to a user's token for an API, at a provider that takes no other request.
import { decodeJwt } from "jose";
import { describe, expect, onTestFinished } from "vitest";
import { configSchema } from "../../src/config/schema.ts";
import { createExchanger } from "../../src/delegation/exchange.ts";
import type { ExchangeConfig } from "../../src/delegation/dialects.ts";
import { createProvider } from "../../src/identity/provider.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import type { Credential } from "../../src/kernel/principal.ts";
import { Secret } from "../../src/kernel/secret.ts";
import { API, CLIENT, MANNERS, openDialectProvider } from "../setup/dialect-provider.ts";
import { credentialOf } from "../setup/going.ts";
import { configFrom, minimalConfig, problemsOf, testFolder } from "../setup/minimal.ts";
import { verifies } from "../verifies.ts";

const NAMES = Object.keys(MANNERS) as (keyof typeof MANNERS)[];
const SCOPES = ["orders:read"];

async function house(name: keyof typeof MANNERS, changes: Partial<ExchangeConfig> = {}) {
  const server = await openDialectProvider(name, testFolder());
  const issuer = {
    issuer: server.issuer,
    profile: name,
    claims: { roles: "/roles" },
    client: { client_id: CLIENT.client_id, client_secret: "env:S" },
    allow_private_addresses: true,
  };
  const config = configSchema.shape.issuers.parse({ corp: issuer })["corp"];
  if (config?.client === undefined) throw new Error("no client");
  const provider = createProvider("corp", config, { clock: systemClock, allow_demo: false });
  onTestFinished(async () => {
    await provider.close();
    await server.close();
  });
  const exchanger = createExchanger(
    provider,
    config.client.client_id,
    new Secret(CLIENT.client_secret),
  );
  const to: ExchangeConfig = { kind: "exchange", audience: API, extra_scopes: [], ...changes };
  const proof = await server.userToken("ada");
  const subject = decodeJwt(proof).sub ?? "";
  const credential: Credential = credentialOf({ subject, proof: new Secret(proof) });
  const exchange = () => exchanger.exchange(credential, to, SCOPES, Date.now());
  const codeOf = async () => {
    const got = await exchange();
    return got.ok ? "ok" : `${got.refusal.code}: ${got.refusal.cause}`;
  };
  return { server, exchange, codeOf };
}

describe.each(NAMES)("%s", (name) => {
  verifies(
    "identity.dialects",
    `${name} gives the user's token for exactly its own request`,
    async () => {
      const { exchange, server } = await house(name);
      const got = await exchange();
      if (!got.ok) throw new Error(got.refusal.cause);
      const claims = decodeJwt(got.value.token.reveal());
      expect(claims.aud).toBe(API);
      expect(claims["oid"] ?? claims.sub).toBe("ada");
      expect(server.seen).toHaveLength(1);
    },
  );

  verifies(
    "identity.dialects",
    `${name}: what is another's, of elsewhere or too much is refused`,
    async () => {
      const { server, codeOf } = await house(name);
      server.bend = { account: "bob" };
      expect(await codeOf()).toBe("identity_mismatch: it names another user");
      server.bend = { audience: "api://payroll" };
      expect(await codeOf()).toBe("identity_mismatch: aud is not the API");
      server.bend = { scope: "orders:read orders:write" };
      expect(await codeOf()).toBe("identity_mismatch: more scope than asked: orders:write");
      server.bend = { scope: "orders:list" };
      expect(await codeOf()).toMatch(/^identity_mismatch: more scope/);
      server.bend = {};
      expect(await codeOf()).toBe("ok");
    },
  );

  verifies("identity.dialects", `${name} yields no token without a human`, async () => {
    const { server, codeOf } = await house(name);
    const signs: Record<string, unknown>[] = [
      { sub: CLIENT.client_id, oid: CLIENT.client_id },
      { gty: "client-credentials" },
      { idtyp: "app" },
      { sub: undefined, oid: undefined },
    ];
    for (const claims of signs) {
      server.bend = { claims };
      expect(await codeOf()).toMatch(/^identity_mismatch: /);
    }
    expect(new Set(server.seen.map((form) => form.get("grant_type")))).toEqual(
      new Set([MANNERS[name].grant]),
    );
  });

  verifies(
    "identity.dialects",
    `${name}: scopes that the operator expects beside are let in`,
    async () => {
      const { server, codeOf } = await house(name, { extra_scopes: ["profile"] });
      server.bend = { scope: "orders:read profile" };
      expect(await codeOf()).toBe("ok");
    },
  );
});

verifies("identity.dialects", "Entra's person is oid in tid: neither alone is enough", async () => {
  const { server, codeOf } = await house("entra");
  server.bend = { claims: { tid: "another-tenant" } };
  expect(await codeOf()).toBe("identity_mismatch: it names another user");
  server.bend = { claims: { oid: undefined } };
  expect(await codeOf()).toBe("identity_mismatch: it names another user");
});

verifies(
  "identity.dialects",
  "a target named by resource, where there is no such thing, stops the start",
  () => {
    const client = { client_id: "us", client_secret: "env:S" };
    const corp = {
      issuer: "https://login.test",
      profile: "keycloak",
      claims: { roles: "/roles" },
      client,
    };
    const problems = problemsOf(() => configFrom(minimalConfig({ issuers: { corp } }), { S: "x" }));
    expect(problems).toMatchObject([
      { pointer: "/connectors/shop/delegation/resource", mend: "name the audience instead" },
    ]);
  },
);
