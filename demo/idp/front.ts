/** What stands before oidc-provider: CORS for loopback pages, and the page where one picks. */

import { IncomingMessage } from "node:http";
import type { RequestListener, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import type { Provider, Interaction } from "oidc-provider";
import { findPerson } from "../people.ts";
import { messagePage, pageHeaders, signInPage } from "./pages.ts";
import type { Resources } from "./resources.ts";
import type { IdpState } from "./state.ts";

// What programs call, browsers' programs included. Pages are not in this list.
const FOR_PROGRAMS = /^\/(\.well-known\/|token(\/|$)|jwks$|reg(\/|$)|me$|request$|device\/auth$)/;
const LOOPBACK_ORIGIN = /^https?:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?$/;
const INTERACTION = /^\/interaction\/[\w-]{8,64}$/;
const FORM_BYTES_MAX = 4096;
const REGISTRATION_BYTES_MAX = 32_768;

export function idpFront(
  provider: Provider,
  state: IdpState,
  resources: Resources,
): RequestListener {
  const toProvider = provider.callback();
  return (request, response) => {
    const { pathname } = new URL(request.url ?? "/", provider.issuer);
    if (FOR_PROGRAMS.test(pathname) && answeredCors(request, response)) return;
    if (INTERACTION.test(pathname)) {
      pickPerson(provider, state, resources, request, response).catch(() => {
        const lost = "This sign-in has expired. Go back to your application and start again.";
        sendPage(response, 400, messagePage("This sign-in cannot go on", lost));
      });
      return;
    }
    if (pathname === "/") {
      const what = "The demo's identity provider. Applications send you here to sign in.";
      sendPage(response, 200, messagePage("Identity provider", what));
      return;
    }
    if (pathname === "/reg" && request.method === "POST") {
      forgiveEmptyScope(request).then(
        (forgiven) => toProvider(forgiven, response),
        () => response.destroy(),
      );
      return;
    }
    void toProvider(request, response);
  };
}

/** The MCP Inspector asks for the scope "" where a resource names none: as if it said nothing. */
async function forgiveEmptyScope(request: IncomingMessage): Promise<IncomingMessage> {
  const { method, url, headers, socket } = request;
  const length = Number(headers["content-length"] ?? Number.NaN);
  if (!(length <= REGISTRATION_BYTES_MAX)) return request;
  const body = Buffer.from(
    (await text(request)).replace(/"scope"\s*:\s*""\s*,|,\s*"scope"\s*:\s*""/, ""),
  );
  const forgiven = Object.assign(new IncomingMessage(socket), { method, url, complete: true });
  forgiven.headers = { ...headers, "content-length": String(body.length) };
  forgiven.push(body);
  forgiven.push(null);
  return forgiven;
}

/** True when the request was a preflight and is answered. */
function answeredCors(request: IncomingMessage, response: ServerResponse): boolean {
  const { origin } = request.headers;
  if (origin === undefined || !LOOPBACK_ORIGIN.test(origin)) return false;
  response.setHeader("access-control-allow-origin", origin);
  response.setHeader("access-control-expose-headers", "WWW-Authenticate");
  response.setHeader("vary", "Origin");
  if (request.method !== "OPTIONS") return false;
  response.setHeader("access-control-allow-methods", "GET, POST");
  const wanted = request.headers["access-control-request-headers"];
  if (wanted !== undefined) response.setHeader("access-control-allow-headers", wanted);
  response.writeHead(204).end();
  return true;
}

async function pickPerson(
  provider: Provider,
  state: IdpState,
  resources: Resources,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const interaction = await provider.interactionDetails(request, response);
  const ask = (status: number, problem?: string) =>
    askWho(provider, state, resources, interaction, response, status, problem);
  if (request.method !== "POST") return ask(200);

  const form = await readForm(request);
  if (form.has("cancel")) {
    const result = { error: "access_denied", error_description: "The person cancelled." };
    return provider.interactionFinished(request, response, result);
  }
  const person = findPerson(form.get("person") ?? "");
  if (person === undefined) return ask(422, "Pick one of the people below.");
  if (state.isDisabled(person.subject)) {
    return ask(403, `The account of ${person.name} is disabled.`);
  }
  await leaveOtherSession(provider, interaction, person.subject, response);
  return provider.interactionFinished(request, response, {
    login: { accountId: person.subject },
    consent: {},
    select_account: {},
  });
}

async function askWho(
  provider: Provider,
  state: IdpState,
  resources: Resources,
  { params, uid }: Interaction,
  response: ServerResponse,
  status: number,
  problem?: string,
): Promise<void> {
  const client = await provider.Client.find(String(params["client_id"]));
  const redirect = params["redirect_uri"];
  const target = typeof redirect === "string" ? new URL(redirect) : undefined;
  const html = signInPage({
    action: `/interaction/${uid}`,
    client: client?.clientName ?? String(params["client_id"]),
    returns_to: target === undefined ? "your device" : placeOf(target),
    agent: agentsIn(params["resource"], resources),
    isDisabled: (subject) => state.isDisabled(subject),
    ...(problem === undefined ? {} : { problem }),
  });
  sendPage(response, status, html, formTargets(target));
}

function agentsIn(resource: unknown, resources: Resources): string {
  const names = [resource].flat().flatMap((one) => resources.agents.get(String(one)) ?? []);
  return names.length === 0 ? "none" : names.join(", ");
}

export function placeOf(target: URL): string {
  return /^https?:$/.test(target.protocol) ? target.host : `${target.protocol}//${target.host}`;
}

/** Browsers hold every redirect that follows a form to `form-action`: name the application's. */
export function formTargets(target: URL | undefined): string[] {
  if (target === undefined) return [];
  if (target.protocol === "https:") return [target.origin];
  if (target.protocol !== "http:") return [target.protocol];
  // A callback on loopback often leads on to its application's other name or port.
  return ["http://127.0.0.1:*", "http://localhost:*", target.origin];
}

/**
 * The provider would sign the browser's earlier person out, and end her agents with it. In a demo
 * one browser is many people: let the browser forget her session, and leave it alive.
 */
export async function leaveOtherSession(
  provider: Provider,
  interaction: Interaction,
  subject: string,
  response: ServerResponse,
): Promise<void> {
  const { session } = interaction;
  if (session?.accountId === undefined || session.accountId === subject) return;
  delete interaction.session;
  await interaction.save((interaction.exp ?? 0) - Math.floor(Date.now() / 1000));
  const name = provider.cookieName("session");
  const gone = "path=/; expires=Thu, 01 Jan 1970 00:00:00 GMT; httponly; samesite=lax";
  response.setHeader("set-cookie", [`${name}=; ${gone}`, `${name}.sig=; ${gone}`]);
}

export async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const length = Number(request.headers["content-length"] ?? Number.NaN);
  if (!(length <= FORM_BYTES_MAX)) throw new Error("a form of unknown or unreasonable size");
  return new URLSearchParams(await text(request));
}

export function sendPage(
  response: ServerResponse,
  status: number,
  html: string,
  leads_to: readonly string[] = [],
): void {
  response.writeHead(status, pageHeaders(leads_to));
  response.end(html);
}
