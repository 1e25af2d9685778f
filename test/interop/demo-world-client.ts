/** Who stands outside the demo world in tests: client, browser, boundary, API user. */

import { createHash, randomBytes } from "node:crypto";
import { startWorld, type World } from "../../demo/world.ts";
import { MAIL_CLIENT } from "../setup/core-config.ts";

export type Json = Record<string, unknown>;

export const AGENTS = {
  support: "http://127.0.0.1:8484/mcp/support",
  sales: "http://127.0.0.1:8484/mcp/sales",
  research: "http://127.0.0.1:8484/mcp/research",
};
export const BOUNDARY = {
  client_id: "boundary",
  client_secret: "a-secret-of-the-test-and-of-nobody",
};
export const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
export const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";
export const CALLBACK = "http://127.0.0.1:7777/callback";

let world: World;

/** Starts a world that the rest of this file then speaks to; one at a time in a test file. */
export async function enterWorld(data: string): Promise<World> {
  world = await startWorld({
    data,
    issuer_port: 0,
    api_port: 0,
    mail_accounts_port: 0,
    mail_client: MAIL_CLIENT,
    agents: AGENTS,
    boundary: BOUNDARY,
  });
  return world;
}

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Json;
}

export async function post(
  path: string,
  form: Record<string, string>,
  headers = {},
): Promise<Reply> {
  const body = new URLSearchParams(form);
  const response = await fetch(world.issuer + path, { method: "POST", body, headers });
  const words = await response.text();
  const json = words.startsWith("{") ? (JSON.parse(words) as Json) : {};
  return { status: response.status, headers: response.headers, body: json };
}

export function token(form: Record<string, string>): Promise<Reply> {
  return post("/token", form);
}

export async function register(metadata: Json): Promise<Reply> {
  const response = await fetch(`${world.issuer}/reg`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: "http://localhost:6274" },
    body: JSON.stringify(metadata),
  });
  const { status, headers } = response;
  return { status, headers, body: (await response.json()) as Json };
}

export async function newClient(metadata: Json = {}): Promise<string> {
  const { body } = await register({
    client_name: "An <IDE>",
    redirect_uris: [CALLBACK],
    ...metadata,
  });
  return String(body["client_id"]);
}

/** What curl with a cookie jar does: keeps cookies, and goes from page to page by hand. */
export class Browser {
  readonly jar = new Map<string, string>();
  private readonly issuer: string;
  page = "";

  constructor(issuer = world.issuer) {
    this.issuer = issuer;
  }

  async go(url: string, form?: Record<string, string>): Promise<Response> {
    const cookie = [...this.jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(new URL(url, this.issuer), {
      redirect: "manual",
      headers: { cookie, accept: "text/html" },
      ...(form === undefined ? {} : { method: "POST", body: new URLSearchParams(form) }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === "") this.jar.delete(name);
      else this.jar.set(name, value);
    }
    this.page = await response.text();
    return response;
  }

  /** Follows redirects until a page, or until a redirect leaves the provider. */
  async arrive(response: Response): Promise<string> {
    const next = response.headers.get("location");
    if (next === null) return "";
    const url = new URL(next, this.issuer).href;
    return url.startsWith(this.issuer) ? this.arrive(await this.go(url)) : url;
  }

  async pick(person: string, field = "person"): Promise<string> {
    const action = /action="(\/interaction\/[^"]+)"/.exec(this.page)?.[1] ?? "";
    return this.arrive(await this.go(action, { [field]: person }));
  }
}

interface SignIn {
  readonly client_id: string;
  readonly verifier: string;
  readonly url: string;
}

export function signInUrl(client_id: string, extra: Record<string, string> = {}): SignIn {
  const verifier = randomBytes(32).toString("base64url");
  const query = new URLSearchParams({
    client_id,
    response_type: "code",
    redirect_uri: CALLBACK,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    state: "a-state",
    ...extra,
  });
  return { client_id, verifier, url: `/auth?${query.toString()}` };
}

export async function signIn(
  person: string,
  extra: Record<string, string>,
  browser = new Browser(),
) {
  const attempt = signInUrl(await newClient(), extra);
  await browser.arrive(await browser.go(attempt.url));
  const callback = new URL(await browser.pick(person));
  const reply = await token({
    grant_type: "authorization_code",
    client_id: attempt.client_id,
    code: callback.searchParams.get("code") ?? "",
    redirect_uri: CALLBACK,
    code_verifier: attempt.verifier,
  });
  return { ...attempt, callback, reply, access_token: String(reply.body["access_token"]) };
}

export function exchange(subject_token: string, api: string, extra: Record<string, string> = {}) {
  return token({
    ...BOUNDARY,
    grant_type: EXCHANGE,
    subject_token,
    subject_token_type: ACCESS_TOKEN,
    resource: `${world.api}/${api}`,
    ...extra,
  });
}

export async function tokenFor(person: string, agent: string, api: string): Promise<string> {
  const { body } = await exchange(await world.mintToken(person, agent, 60), api);
  return String(body["access_token"]);
}

/** A person's token for /mail, from the mail API's own authorization server. */
export async function mailTokenFor(person: string): Promise<string> {
  const redirect_uri = "http://127.0.0.1:8484/connect/mail/callback";
  const scope = "mail:send offline_access";
  const extra = { redirect_uri, scope, prompt: "consent", resource: `${world.api}/mail` };
  const { url, verifier } = signInUrl(MAIL_CLIENT.client_id, extra);
  const browser = new Browser(world.mail_accounts);
  await browser.arrive(await browser.go(url));
  const callback = new URL(await browser.pick(person, "mailbox"));
  const body = new URLSearchParams({
    ...MAIL_CLIENT,
    grant_type: "authorization_code",
    code: callback.searchParams.get("code") ?? "",
    redirect_uri,
    code_verifier: verifier,
  });
  const response = await fetch(`${world.mail_accounts}/token`, { method: "POST", body });
  return String(((await response.json()) as Json)["access_token"]);
}

export async function call(
  bearer: string,
  method: string,
  path: string,
  body?: Json | string,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const response = await fetch(world.api + path, {
    method,
    headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json", ...headers },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const words = await response.text();
  const json = words === "" ? {} : (JSON.parse(words) as Json);
  return { status: response.status, headers: response.headers, body: json };
}

export async function audit(): Promise<Json[]> {
  return (await (await fetch(`${world.api}/audit`)).json()) as Json[];
}
