/** The demo's identity provider and levers, from outside: what clients and the boundary meet. */

import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { World } from "../../demo/world.ts";
import {
  AGENTS,
  audit,
  BOUNDARY,
  Browser,
  call,
  CALLBACK,
  enterWorld,
  exchange,
  EXCHANGE,
  ACCESS_TOKEN,
  newClient,
  post,
  register,
  signIn,
  signInUrl,
  token,
  tokenFor,
} from "./demo-world-client.ts";

const data = mkdtempSync(join(tmpdir(), "doorless-world-"));
let world: World;

beforeAll(async () => {
  world = await enterWorld(data);
});

afterAll(async () => {
  await world.stop();
  rmSync(data, { recursive: true, force: true });
});

async function pull(...levers: string[]): Promise<void> {
  for (const lever of levers) await world.set(lever);
}

describe("signing in", () => {
  it("gives a public client a token for one agent, by registration, PKCE and a form", async () => {
    const browser = new Browser();
    const { reply, callback, access_token } = await signIn(
      "mia",
      { resource: AGENTS.sales },
      browser,
    );
    expect(reply.status).toBe(200);
    expect(callback.searchParams.get("iss")).toBe(world.issuer);
    expect(callback.searchParams.get("state")).toBe("a-state");
    expect(decodeProtectedHeader(access_token)).toMatchObject({ alg: "ES256", typ: "at+jwt" });
    const claims = decodeJwt(access_token);
    expect(claims).toMatchObject({
      iss: world.issuer,
      sub: "mia",
      aud: AGENTS.sales,
      scope: "mcp",
      name: "Mia Lindqvist",
      tenant: "acme",
      roles: ["sales"],
      grant_id: expect.any(String),
      client_id: expect.any(String),
      jti: expect.any(String),
    });
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(600);
  });

  it("shows who asks, for which agent, and where to, on a page that runs no script", async () => {
    const browser = new Browser();
    const attempt = signInUrl(await newClient(), { resource: AGENTS.support, scope: "unheard:of" });
    const response = await browser.go(
      (await browser.go(attempt.url)).headers.get("location") ?? "",
    );
    expect(browser.page).toContain("An &lt;IDE&gt;");
    expect(browser.page).toContain("127.0.0.1:7777");
    expect(browser.page).toMatch(/<dd>support<\/dd>/);
    expect(browser.page).not.toContain("<script");
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(new URL(await browser.pick("dana")).searchParams.get("code")).toBeTruthy();
  });

  it("leaves the person of before signed in when one browser picks another", async () => {
    const browser = new Browser();
    const mia = await signIn("mia", { resource: AGENTS.sales, prompt: "consent" }, browser);
    const dana = await signIn("dana", { resource: AGENTS.support }, browser);
    expect(decodeJwt(dana.access_token).sub).toBe("dana");
    expect((await exchange(mia.access_token, "crm")).status).toBe(200);
  });

  it("refuses a request that names no resource, two, or one of the SaaS's", async () => {
    const client_id = await newClient();
    for (const extra of [
      "",
      `&resource=${AGENTS.sales}&resource=${AGENTS.support}`,
      `&resource=${world.api}/crm`,
    ]) {
      const response = await new Browser().go(signInUrl(client_id).url + extra);
      const back = new URL(response.headers.get("location") ?? "");
      expect(back.searchParams.get("error")).toBe("invalid_target");
    }
  });

  it("refuses a request without PKCE", async () => {
    const query = new URLSearchParams({
      client_id: await newClient(),
      response_type: "code",
      redirect_uri: CALLBACK,
      resource: AGENTS.sales,
    });
    const response = await new Browser().go(`/auth?${query.toString()}`);
    const back = new URL(response.headers.get("location") ?? "");
    expect(back.searchParams.get("error")).toBe("invalid_request");
  });

  it("registers loopback clients on any port, native or not, and custom schemes", async () => {
    for (const metadata of [{}, { application_type: "native" }]) {
      const redirect_uris = ["http://localhost/cb", "http://127.0.0.1/cb", "cursor://anysphere/cb"];
      const { status, body, headers } = await register({ redirect_uris, ...metadata });
      expect([status, headers.get("access-control-allow-origin")]).toEqual([
        201,
        "http://localhost:6274",
      ]);
      for (const redirect_uri of ["http://localhost:5123/cb", "http://127.0.0.1:41999/cb"]) {
        const extra = { redirect_uri, resource: AGENTS.sales };
        const { url } = signInUrl(String(body["client_id"]), extra);
        expect((await new Browser().go(url)).headers.get("location")).toMatch(/\/interaction\//);
      }
    }
  });

  it("rotates refresh tokens, and ends the whole sign-in when an old one comes back", async () => {
    const { client_id, reply } = await signIn("mia", {
      resource: AGENTS.sales,
      scope: "openid offline_access mcp",
    });
    const first = String(reply.body["refresh_token"]);
    const renewed = await token({ grant_type: "refresh_token", client_id, refresh_token: first });
    const access_token = String(renewed.body["access_token"]);
    expect(decodeJwt(access_token).aud).toBe(AGENTS.sales);
    expect(renewed.body["refresh_token"]).not.toBe(first);
    const again = await token({ grant_type: "refresh_token", client_id, refresh_token: first });
    expect(again.body["error"]).toBe("invalid_grant");
    expect((await exchange(access_token, "crm")).body["error"]).toBe("invalid_grant");
  });

  it("ends a sign-in, and exchanges from it, when its refresh token is revoked", async () => {
    const { client_id, reply, access_token } = await signIn("mia", { resource: AGENTS.sales });
    const introspect = async () =>
      (await post("/token/introspection", { ...BOUNDARY, token: access_token })).body["active"];
    expect(await introspect()).toBe(true);
    await post("/token/revocation", { client_id, token: String(reply.body["refresh_token"]) });
    expect(await introspect()).toBe(false);
    expect((await exchange(access_token, "crm")).body["error"]).toBe("invalid_grant");
  });

  it("signs in a device by its code", async () => {
    const client_id = await newClient({
      grant_types: ["urn:ietf:params:oauth:grant-type:device_code", "authorization_code"],
    });
    const { body } = await post("/device/auth", { client_id, resource: AGENTS.research });
    const browser = new Browser();
    const url = String(body["verification_uri"]);
    const submit = async (extra: Record<string, string>) => {
      const xsrf = /name="xsrf" value="([^"]+)"/.exec(browser.page)?.[1] ?? "";
      return browser.go(url, { xsrf, user_code: String(body["user_code"]), ...extra });
    };
    await browser.go(url);
    await submit({});
    await browser.arrive(await submit({ confirm: "yes" }));
    await browser.pick("omar");
    const reply = await token({
      grant_type: "urn:ietf:params:oauth:grant-type:device_code",
      client_id,
      device_code: String(body["device_code"]),
    });
    expect(decodeJwt(String(reply.body["access_token"]))).toMatchObject({
      sub: "omar",
      aud: AGENTS.research,
    });
  });

  it("publishes the same metadata for OAuth and OpenID, marked as the demo's", async () => {
    const names = ["oauth-authorization-server", "openid-configuration"];
    const [oauth, openid] = await Promise.all(
      names.map(async (name) => (await fetch(`${world.issuer}/.well-known/${name}`)).json()),
    );
    expect(oauth).toEqual(openid);
    expect(oauth).toMatchObject({
      issuer: world.issuer,
      doorless_demo: true,
      authorization_response_iss_parameter_supported: true,
      client_id_metadata_document_supported: true,
      code_challenge_methods_supported: ["S256"],
    });
  });
});

describe("token exchange", () => {
  it("gives the boundary a short token that names the human and who acts for her", async () => {
    const subject_token = await world.mintToken("mia", "sales", 600);
    const { status, body } = await exchange(subject_token, "crm", { scope: "crm:read" });
    expect([status, body["issued_token_type"], body["scope"]]).toEqual([
      200,
      ACCESS_TOKEN,
      "crm:read",
    ]);
    const claims = decodeJwt(String(body["access_token"]));
    expect(claims).toMatchObject({
      iss: world.issuer,
      sub: "mia",
      aud: `${world.api}/crm`,
      client_id: "boundary",
      act: { sub: "doorless-demo-cli" },
      tenant: "acme",
      roles: ["sales"],
      name: "Mia Lindqvist",
      scope: "crm:read",
    });
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(120);
  });

  it("takes the boundary's secret in the header as well", async () => {
    const basic = Buffer.from(`${BOUNDARY.client_id}:${BOUNDARY.client_secret}`);
    const form = {
      grant_type: EXCHANGE,
      subject_token: await world.mintToken("mia", "sales", 60),
      subject_token_type: ACCESS_TOKEN,
      resource: `${world.api}/crm`,
    };
    const authorization = `Basic ${basic.toString("base64")}`;
    expect((await post("/token", form, { authorization })).status).toBe(200);
    expect((await post("/token", form)).status).toBe(400);
  });

  it("gives a person no scope that her role does not have at that API", async () => {
    const dana = await world.mintToken("dana", "support", 60);
    const mia = await world.mintToken("mia", "sales", 60);
    const ines = await world.mintToken("ines", "support", 60);
    for (const [subject, api, extra] of [
      [dana, "crm", { scope: "crm:read crm:write" }],
      [dana, "crm", { scope: "billing:read" }],
      [dana, "analytics", {}],
      [mia, "analytics", {}],
      [mia, "tickets", { scope: "tickets:read" }],
      [ines, "crm", {}],
    ] as const) {
      const { status, body } = await exchange(subject, api, extra);
      expect([status, body["error"]]).toEqual([400, "invalid_scope"]);
    }
  });

  it("is refused for a resource that is not exactly one API of the SaaS", async () => {
    const subject = await world.mintToken("mia", "sales", 60);
    for (const resource of [AGENTS.sales, world.api, `${world.api}/crm/`, "urn:x"]) {
      const { body } = await exchange(subject, "crm", { resource });
      expect(body["error"]).toBe("invalid_target");
    }
    const { body } = await exchange(subject, "crm", { audience: "crm" });
    expect(body["error"]).toBe("invalid_target");
  });

  it("is refused to every other client, registered for it or not", async () => {
    const subject_token = await world.mintToken("mia", "sales", 60);
    const plain = await newClient();
    const { body } = await register({
      redirect_uris: [CALLBACK],
      grant_types: ["authorization_code", EXCHANGE],
      token_endpoint_auth_method: "client_secret_post",
    });
    for (const client of [
      { client_id: plain },
      { client_id: String(body["client_id"]), client_secret: String(body["client_secret"]) },
    ]) {
      const reply = await token({
        ...client,
        grant_type: EXCHANGE,
        subject_token,
        subject_token_type: ACCESS_TOKEN,
        resource: `${world.api}/crm`,
      });
      expect(reply.status).toBe(400);
      expect(reply.body).not.toHaveProperty("access_token");
    }
  });

  it("is refused for a token that is not a live agent token of this provider", async () => {
    const exchanged = await tokenFor("mia", "sales", "crm");
    const good = await world.mintToken("mia", "sales", 60);
    const [header, payload] = good.split(".");
    for (const subject of [exchanged, "nonsense", `${header}.${payload}.AAAA`]) {
      expect((await exchange(subject, "crm")).body["error"]).toBe("invalid_grant");
    }
  });
});

describe("levers", () => {
  it("revoke ends every sign-in of a person and refuses new ones until restore", async () => {
    const { access_token, client_id, reply } = await signIn("omar", { resource: AGENTS.sales });
    const minted = await world.mintToken("omar", "sales", 60);
    await pull("revoke:omar");
    for (const subject of [access_token, minted]) {
      expect((await exchange(subject, "crm")).body["error"]).toBe("invalid_grant");
    }
    const refresh_token = String(reply.body["refresh_token"]);
    const renewal = await token({ grant_type: "refresh_token", client_id, refresh_token });
    expect(renewal.body["error"]).toBe("invalid_grant");
    await expect(world.mintToken("omar", "sales", 60)).rejects.toThrow("disabled");
    const browser = new Browser();
    const { url } = signInUrl(client_id, { resource: AGENTS.sales });
    await browser.arrive(await browser.go(url));
    expect(await browser.pick("omar")).toBe("");
    expect(browser.page).toContain("is disabled");

    await pull("restore:omar");
    expect((await exchange(access_token, "crm")).body["error"]).toBe("invalid_grant");
    expect(await tokenFor("omar", "sales", "crm")).toMatch(/^ey/);
  });

  it("revoke tells the clients of the person's browsers over the back channel", async () => {
    const told = Promise.withResolvers<string>();
    const receiver = createServer((request, response) => {
      told.resolve(text(request));
      response.end();
    });
    await once(receiver.listen(0, "127.0.0.1"), "listening");
    const { port } = receiver.address() as AddressInfo;
    try {
      const client_id = await newClient({
        backchannel_logout_uri: `http://127.0.0.1:${port}/events`,
        backchannel_logout_session_required: true,
      });
      const browser = new Browser();
      const { url } = signInUrl(client_id, { resource: AGENTS.sales, scope: "openid" });
      await browser.arrive(await browser.go(url));
      await browser.pick("omar");
      await pull("revoke:omar", "restore:omar");
      const logout_token = new URLSearchParams(await told.promise).get("logout_token") ?? "";
      expect(decodeProtectedHeader(logout_token).typ).toBe("logout+jwt");
      expect(decodeJwt(logout_token)).toMatchObject({ sub: "omar", aud: client_id });
    } finally {
      receiver.close();
    }
  });

  it("down refuses connections and up brings the same address back", async () => {
    const bearer = await tokenFor("mia", "sales", "crm");
    await pull("idp:down", "api:down", "api:down");
    await expect(fetch(`${world.issuer}/jwks`)).rejects.toThrow();
    await expect(call(bearer, "GET", "/crm/deals/42")).rejects.toThrow();
    await pull("idp:up", "api:up", "api:up");
    expect((await fetch(`${world.issuer}/jwks`)).status).toBe(200);
    expect((await call(bearer, "GET", "/crm/deals/42")).status).toBe(200);
  });

  it("that do not exist, like people and agents, are answered with those that do", async () => {
    await expect(world.set("idp:sideways")).rejects.toThrow(/idp:up/);
    await expect(world.set("constructor")).rejects.toThrow(/contract:1/);
    await expect(world.set("revoke:nobody")).rejects.toThrow(/dana, mia/);
    await expect(world.mintToken("nobody", "sales", 60)).rejects.toThrow(/dana, mia/);
    await expect(world.mintToken("mia", "finance", 60)).rejects.toThrow(/support, sales/);
  });
});

describe("the world between runs", () => {
  it("keeps keys, sign-ins, clients, disabled people, contract and the SaaS's rows", async () => {
    const { client_id, reply } = await signIn("mia", { resource: AGENTS.sales });
    await call(await tokenFor("mia", "sales", "crm"), "PATCH", "/crm/deals/44", { stage: "won" });
    await pull("revoke:dana", "contract:2", "api:down");
    const key_before = decodeProtectedHeader(String(reply.body["access_token"])).kid;
    const rows_before = (await pull("api:up"), await audit()).length;

    await world.stop();
    world = await enterWorld(data);

    const refresh_token = String(reply.body["refresh_token"]);
    const renewed = await token({ grant_type: "refresh_token", client_id, refresh_token });
    expect(decodeProtectedHeader(String(renewed.body["access_token"])).kid).toBe(key_before);
    await expect(world.mintToken("dana", "support", 60)).rejects.toThrow("disabled");
    const bearer = await tokenFor("mia", "sales", "crm");
    expect((await call(bearer, "GET", "/crm/deals/44")).body["stage"]).toBe("won");
    expect((await call(bearer, "GET", "/crm/customers/1")).body).toHaveProperty("display_name");
    expect(await audit()).toHaveLength(rows_before + 2);
    await pull("restore:dana", "contract:1");
  });

  it("is readable by its owner alone", () => {
    for (const file of readdirSync(data)) {
      expect([file, statSync(join(data, file)).mode & 0o077]).toEqual([file, 0]);
    }
  });
});
