// Providers that deviate from RFC 9068: each only as its profile says, and only where it is named.
import { afterAll, beforeAll, beforeEach, describe, expect } from "vitest";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { defined } from "../setup/hostile-provider.ts";
import type { Claims } from "../setup/hostile-provider.ts";
import { callTool, mcpHeaders, post, rpc } from "../setup/mcp-post.ts";
import { expectRefused, listed } from "../setup/strangers.ts";
import { verifies } from "../verifies.ts";

interface Written {
  readonly header: Claims;
  readonly claims: Claims;
}

/** How each provider writes one and the same token. */
const WRITTEN: Readonly<Record<string, Written>> = {
  rfc9068: { header: { typ: "at+jwt" }, claims: { client_id: "an-ide" } },
  keycloak: { header: { typ: "JWT" }, claims: { azp: "an-ide", typ: "Bearer" } },
  auth0: { header: { typ: "JWT" }, claims: { azp: "an-ide" } },
  okta: { header: { typ: undefined }, claims: { cid: "an-ide", scp: ["openid"] } },
  entra: { header: { typ: "JWT" }, claims: { azp: "an-ide", scp: "agent.use" } },
};

/** What it must not be taken for: a person's token for us. */
const NOT_OURS: Readonly<Record<string, readonly (readonly [what: string, Claims])[]>> = {
  keycloak: [
    ["an id token", { typ: "ID" }],
    ["a refresh token", { typ: "Refresh" }],
    ["no kind at all", { typ: undefined }],
    ["a client's own user", { preferred_username: "service-account-an-ide" }],
  ],
  auth0: [["a client's own", { sub: "an-ide@clients", gty: "client-credentials" }]],
  okta: [["a client's own", { sub: "an-ide" }]],
  entra: [
    ["an application's own, by its lack of scp", { scp: undefined, roles: ["Task.Write"] }],
    ["an application's own, by idtyp", { idtyp: "app" }],
    ["an empty scp", { scp: "" }],
  ],
};

for (const [profile, written] of Object.entries(WRITTEN)) {
  describe(`the profile ${profile}`, () => {
    let boundary: Boundary;

    beforeAll(async () => {
      // It is no client there: the connectors of this house are not those of a provider's own way.
      boundary = await openBoundary({ issuer: { profile, client: undefined } });
    });

    beforeEach(() => boundary.api.behave());

    afterAll(() => boundary.close());

    const sign = ({ header, claims }: Written, changes: Claims = {}): Promise<string> =>
      boundary.provider.sign(
        defined({ ...boundary.claims("desk"), client_id: undefined, ...claims, ...changes }),
        header,
      );

    verifies("auth.profiles", "takes its provider's tokens, and no other's", async () => {
      expect((await listed(boundary, "desk", await sign(written))).status).toBe(200);
      for (const [other, theirs] of Object.entries(WRITTEN)) {
        // Whatever says as much as ours does is ours.
        const isSame =
          other === profile || (profile === "auth0" && theirs.claims["azp"] !== undefined);
        if (!isSame) await expectRefused(boundary, "desk", await sign(theirs));
      }
    });

    for (const [what, changes] of [
      ...(NOT_OURS[profile] ?? []),
      ["an id token, by its nonce", { nonce: "n" }],
      ["an id token, by its hash", { at_hash: "h" }],
      ["a logout token", { events: { "http://schemas.openid.net/event/backchannel-logout": {} } }],
      ["a client that is no text", { client_id: 7, azp: 7, cid: 7, appid: 7 }],
    ] as const) {
      verifies("auth.profiles", `refuses ${what}`, async () => {
        await expectRefused(boundary, "desk", await sign(written, changes));
      });
    }
  });
}

describe("a token that lacks what decides", () => {
  let boundary: Boundary;

  beforeAll(async () => {
    boundary = await openBoundary({
      issuer: {
        claims: { tenant: "/tid", roles: "/groups", required: ["/tid", "/groups"] },
        roles: { "group-1": "staff" },
      },
    });
  });

  afterAll(() => boundary.close());

  const WHOLE = { tid: "acme", groups: ["group-1"] };
  const LACKS: Readonly<Record<string, Claims>> = {
    "groups that stand elsewhere (OpenID Core 5.6.2)": {
      groups: undefined,
      _claim_names: { groups: "src1" },
      _claim_sources: { src1: { endpoint: "https://graph.test/me" } },
    },
    "more groups than fit (hasgroups)": { groups: undefined, hasgroups: true },
    "groups both here and elsewhere": { _claim_names: { groups: "src1" } },
    "no groups": { groups: undefined },
    "no tenant": { tid: undefined },
  };
  for (const [what, changes] of Object.entries(LACKS)) {
    verifies(
      "auth.claims-missing",
      `${what}: its own error, recorded, and nothing runs`,
      async () => {
        await boundary.api.behave();
        const token = await boundary.token("desk", { ...WHOLE, ...changes });
        const bearer = `Bearer ${token}`;
        const url = `${boundary.url}/mcp/desk`;
        const called = await callTool(url, bearer, "item_get", { id: "7" });
        expect(called.error).toMatchObject({
          code: "claims_missing",
          who_can_fix: "operator",
          retry: "never",
          effect: "none",
        });
        const list = { ...mcpHeaders("tools/list"), authorization: bearer };
        const refused = await post(url, list, JSON.stringify(rpc("tools/list")));
        expect(refused.message).toMatchObject({
          error: { code: 1001, data: { error: { code: "claims_missing" } } },
        });
        expect(boundary.api.seen).toEqual([]);
        const record = boundary.ledger().findLast(({ kind }) => kind === "refusal");
        expect(record).toMatchObject({ subject: "ada", error_code: "claims_missing" });
      },
    );
  }

  verifies(
    "auth.claims-missing",
    "with all of it, she is let in; without a group, to nothing",
    async () => {
      const whole = await listed(boundary, "desk", await boundary.token("desk", WHOLE));
      expect(whole.names).toContain("item_get");
      const none = await boundary.token("desk", { ...WHOLE, groups: [] });
      expect(await listed(boundary, "desk", none)).toEqual({ status: 200, names: [] });
    },
  );
});
