// From claims to a person: where tenant and roles stand, and what is no person.
import { describe, expect, test } from "vitest";
import type { IssuerConfig } from "../../../src/config/schema.ts";
import { audiencesOf, principalOf, scopesOf } from "../../../src/identity/claims.ts";
import { verifies } from "../../verifies.ts";
import { configFrom, minimalConfig } from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";

function issuer(claims: Json, rest: Json = {}): IssuerConfig {
  const roles = { clerk: {}, guest: {} };
  const corp = { issuer: "https://login.test", claims, ...rest };
  const config = configFrom(minimalConfig({ issuers: { corp }, roles }));
  const found = config.issuers["corp"];
  if (found === undefined) throw new Error("no issuer");
  return found;
}

const NESTED = { tenant: "/org/tenant~1id", roles: "/realm_access/roles", name: "/profile/name" };
const CLAIMS = {
  sub: "u-1",
  client_id: "an-ide",
  org: { "tenant/id": "acme" },
  realm_access: { roles: ["guest", "clerk", "guest"] },
  profile: { name: "Ada L." },
  sid: "s-1",
};

function mapped(claims: Json, at: IssuerConfig) {
  const result = principalOf(claims, at);
  return result.ok ? { ...result.principal, family: result.family } : result.why;
}

describe("pointers", () => {
  verifies(
    "auth.claim-pointers",
    "tenant, roles and name are read where they are said to be",
    () => {
      expect(mapped(CLAIMS, issuer(NESTED))).toEqual({
        issuer: "https://login.test",
        subject: "u-1",
        name: "Ada L.",
        tenant: "acme",
        roles: ["clerk", "guest"],
        attributes: {},
        actor_chain: [],
        family: "s-1",
      });
    },
  );

  verifies("auth.claim-pointers", "claims of the same name elsewhere give nothing", () => {
    const decoys = { ...CLAIMS, roles: ["admin"], realm_access: {}, tenant: "globex" };
    expect(mapped(decoys, issuer(NESTED))).toMatchObject({ roles: [], tenant: "acme" });
  });

  verifies("auth.claim-pointers", "roles may be one string; anything else is no role", () => {
    const at = issuer({ roles: "/roles" });
    const rolesOf = (roles: unknown) => mapped({ sub: "u", client_id: "c", roles }, at);
    expect(rolesOf("clerk")).toMatchObject({ roles: ["clerk"] });
    expect(rolesOf(["clerk", 7, null, ["guest"]])).toMatchObject({ roles: ["clerk"] });
    for (const odd of [undefined, null, 7, true, {}, { clerk: true }, [["clerk"]]]) {
      expect(rolesOf(odd), JSON.stringify(odd)).toMatchObject({ roles: [] });
    }
  });

  verifies("auth.claim-pointers", "inherited properties are not claims", () => {
    const at = issuer({ roles: "/constructor/name" });
    expect(mapped({ sub: "u", client_id: "c" }, at)).toMatchObject({ roles: [] });
  });

  verifies("auth.claim-pointers", "with a role map only mapped names count", () => {
    const at = issuer({ roles: "/roles" }, { roles: { "App.Clerk": "clerk" } });
    const claims = { sub: "u", client_id: "c", roles: ["App.Clerk", "guest", "constructor"] };
    expect(mapped(claims, at)).toMatchObject({ roles: ["clerk"] });
  });

  verifies("auth.claim-pointers", "a tenant that the issuer does not speak for is refused", () => {
    const at = issuer({ roles: "/roles", tenant: "/t" }, { tenants: ["acme"] });
    expect(mapped({ sub: "u", client_id: "c", t: "acme" }, at)).toMatchObject({ tenant: "acme" });
    for (const t of ["globex", "", 7, ["acme"], { toString: "acme" }, null]) {
      expect(mapped({ sub: "u", client_id: "c", t }, at), JSON.stringify(t)).toMatch(/tenant/);
    }
  });

  verifies("auth.claim-pointers", "without a tenant pointer there is no tenant", () => {
    const claims = { sub: "u", client_id: "c", tenant: "acme" };
    expect(mapped(claims, issuer({ roles: "/roles" }))).toMatchObject({ tenant: undefined });
  });
});

describe("no person", () => {
  const at = issuerLater();
  for (const [what, claims] of [
    ["no sub", { client_id: "c" }],
    ["an empty sub", { sub: "", client_id: "c" }],
    ["a sub that is no text", { sub: 7, client_id: "c" }],
    ["a sub beyond 255 characters", { sub: "x".repeat(256), client_id: "c" }],
    ["the client as its subject", { sub: "c", client_id: "c" }],
    ["the client as its subject, by azp", { sub: "c", azp: "c" }],
    ["a client_credentials grant", { sub: "u", client_id: "c", gty: "client-credentials" }],
    ["an application's token", { sub: "u", client_id: "c", idtyp: "app" }],
    ["the client as its subject, by cid", { sub: "c", cid: "c" }],
    ["the client as its subject, by appid", { sub: "c", client_id: "x", appid: "c" }],
    ["a managed identity", { sub: "u", client_id: "c", xms_mirid: "/subscriptions/1" }],
    [
      "a cloud's own account",
      { sub: "u", client_id: "c", email: `x@y.iam.${["g", "service", "account"].join("")}.com` },
    ],
    ["an act that is no object", { sub: "u", client_id: "c", act: "x" }],
    ["an act without a subject", { sub: "u", client_id: "c", act: { client: "x" } }],
    ["an actor chain of five", { sub: "u", client_id: "c", act: chain(5) }],
  ] as const) {
    verifies("auth.person-not-client", `${what} is refused`, () => {
      expect(typeof mapped(claims, at())).toBe("string");
    });
  }

  verifies(
    "policy.rules",
    "attributes are texts and whole lists of texts, and nothing else",
    () => {
      const attributes = { email: "/email", teams: "/teams", constructor: "/none" };
      const known = issuer({ roles: "/roles", attributes });
      const about = (email: unknown, teams: unknown) =>
        (mapped({ sub: "u", client_id: "c", email, teams }, known) as Json)["attributes"];
      expect(about("a@b.test", ["x", "y"])).toEqual({ email: "a@b.test", teams: ["x", "y"] });
      // Half a list would be another list.
      for (const odd of [1, null, {}, "", ["x", 1], ["x", ""], ["x", ["y"]]]) {
        expect(about(odd, odd)).toEqual({});
      }
      expect(
        about(
          "x".repeat(513),
          Array.from({ length: 201 }, () => "x"),
        ),
      ).toEqual({});
    },
  );

  test("a chain of four actors is kept, outermost first", () => {
    const claims = { sub: "u", client_id: "c", act: chain(4) };
    const actors = ["a1", "a2", "a3", "a4"];
    const known = issuer({ roles: "/roles" }, { actors });
    expect(mapped(claims, known)).toMatchObject({ actor_chain: ["a4", "a3", "a2", "a1"] });
    for (const missing of actors) {
      const others = actors.filter((actor) => actor !== missing);
      expect(mapped(claims, issuer({ roles: "/roles" }, { actors: others }))).toMatch(
        /may not act/,
      );
    }
    expect(mapped(claims, at())).toMatch(/may not act/);
  });
});

function issuerLater(): () => IssuerConfig {
  return () => issuer({ roles: "/roles" });
}

function chain(length: number): Json {
  let act: Json | undefined;
  for (let i = 1; i <= length; i++) act = { sub: `a${i}`, ...(act === undefined ? {} : { act }) };
  return act ?? {};
}

describe("names and lists", () => {
  test("a readable name cannot turn a terminal around", () => {
    const at = issuer({ roles: "/roles" });
    const name = `A\u{202e}da\u{1b}[2J\n${"x".repeat(200)}`;
    const person = mapped({ sub: "u", client_id: "c", name }, at);
    expect(person).toMatchObject({ name: `Ada[2J${"x".repeat(94)}` });
  });

  test("scopes and audiences are read in both spellings", () => {
    expect(scopesOf({ scope: "a  b" })).toEqual(["a", "b"]);
    expect(scopesOf({ scp: ["a", 7, "b"] })).toEqual(["a", "b"]);
    expect(audiencesOf({ aud: "x" })).toEqual(["x"]);
    expect(audiencesOf({})).toEqual([]);
  });
});
