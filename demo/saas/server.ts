/** The SaaS's HTTP front: who, which operation, allowed, done, recorded, answered. */

import { randomUUID } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { DatabaseSync } from "node:sqlite";
import { API_NAMES, type ApiName } from "../apis.ts";
import { inTransaction } from "../sqlite.ts";
import { readAudit, writeAudit } from "./audit.ts";
import { buildContract, type Contract, type Route } from "./contract.ts";
import { contractVersion, openSaasDatabase, setContractVersion } from "./db.ts";
import { type Answer, firstAnswer, keepAnswer, type KeyedRequest } from "./idempotency.ts";
import { ApiError } from "./api-error.ts";
import { type ContractVersion, type Input } from "./operation.ts";
import { openApiDocument } from "./openapi.ts";
import { findUser, type User } from "./permissions.ts";
import { tokenVerifier, type VerifyToken } from "./token.ts";

const BODY_BYTES_MAX = 64 * 1024;
const SANE_HEADER = /^[\w.:/=+-]{1,128}$/;

export interface SaasOptions {
  readonly data: string;
  readonly api: string;
  readonly issuer: string;
  /** Other providers whose people may come in. */
  readonly also_trusted: readonly string[];
  /** Of the mail API's tokens: it has accounts of its own. */
  readonly mail_issuer: string;
  readonly now: () => Date;
}

export interface Saas {
  readonly handler: RequestListener;
  setContract(version: ContractVersion): void;
  close(): void;
}

interface Server extends SaasOptions {
  readonly db: DatabaseSync;
  readonly verify: VerifyToken;
  readonly verifyMail: VerifyToken;
  readonly contracts: Readonly<Record<ContractVersion, Contract>>;
}

/** What the audit log will say about who asked; filled in as far as the request gets. */
interface Caller {
  subject: string | null;
  client: string | null;
}

export function createSaas(options: SaasOptions): Saas {
  const db = openSaasDatabase(options.data);
  const verify = tokenVerifier(options.issuer, ...options.also_trusted);
  const verifyMail = tokenVerifier(options.mail_issuer);
  const contracts = { 1: buildContract(1), 2: buildContract(2) };
  const server: Server = { ...options, db, verify, verifyMail, contracts };
  return {
    handler: (request, response) => void handle(server, request, response),
    setContract: (version) => setContractVersion(db, version),
    close: () => db.close(),
  };
}

async function handle(
  server: Server,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? "/", server.api);
  const request_id = saneHeader(request, "x-request-id") ?? randomUUID();
  const api = API_NAMES.find((name) => url.pathname.startsWith(`/${name}/`));
  if (api === undefined) {
    send(response, request_id, answerPublic(server, request, url));
    return;
  }
  const time = server.now().toISOString();
  const caller: Caller = { subject: null, client: null };
  let answer: Answer;
  try {
    answer = await answerApi(server, request, url, api, caller, time);
  } catch (error) {
    answer = refusal(error);
  }
  const method = request.method ?? "GET";
  const { status } = answer;
  try {
    const path = url.pathname;
    writeAudit(server.db, { time, ...caller, method, path, status, request_id });
  } catch (error) {
    answer = refusal(error); // what is not on record is not answered
  }
  send(response, request_id, answer);
}

function answerPublic(server: Server, request: IncomingMessage, url: URL): Answer {
  try {
    if (request.method !== "GET") throw new ApiError(405, "method", "Only GET here.");
    if (url.pathname === "/audit") return { status: 200, body: readAudit(server.db, url) };
    if (url.pathname === "/openapi.json") {
      const contract = server.contracts[contractVersion(server.db)];
      return { status: 200, body: openApiDocument(contract, server) };
    }
    throw new ApiError(404, "not_found", "There is nothing here.");
  } catch (error) {
    return refusal(error);
  }
}

async function answerApi(
  server: Server,
  request: IncomingMessage,
  url: URL,
  api: ApiName,
  caller: Caller,
  time: string,
): Promise<Answer> {
  const verify = api === "mail" ? server.verifyMail : server.verify;
  const holder = await verify(request.headers.authorization, `${server.api}/${api}`);
  caller.subject = holder.subject;
  caller.client = holder.client;
  const { route, path } = findRoute(server, request.method ?? "GET", url.pathname);
  const { operation } = route;
  if (!holder.scopes.has(operation.scope)) {
    throw new ApiError(403, "insufficient_scope", `The scope ${operation.scope} is needed.`);
  }
  const user = findUser(server.db, holder.subject);
  if (user === undefined) throw new ApiError(403, "unknown_user", "You have no account here.");

  const text = await readText(request);
  const parameters = route.readParameters(url, path);
  const keyed = keyedRequest(request, user, url, text);
  return inTransaction(server.db, () => {
    const before = keyed && firstAnswer(server.db, keyed);
    if (before !== undefined) return before;
    const input = { ...parameters, ...readBody(route, request, text) };
    const answer = run(server, route, user, input, time);
    if (keyed !== undefined) keepAnswer(server.db, keyed, answer);
    return answer;
  });
}

function findRoute(server: Server, method: string, pathname: string) {
  const { routes } = server.contracts[contractVersion(server.db)];
  const here = routes.filter(({ pattern }) => pattern.test(pathname));
  if (here.length === 0) throw new ApiError(404, "not_found", "There is nothing here.");
  const route = here.find(({ operation }) => operation.method === method);
  if (route === undefined) throw new ApiError(405, "method", `${method} is not offered here.`);
  return { route, path: route.pattern.exec(pathname)?.groups ?? {} };
}

/** The operation's own refusals are answers, to be kept and given again like any other. */
function run(server: Server, route: Route, user: User, input: Input, time: string): Answer {
  const { status, run: operate } = route.operation;
  try {
    return { status, body: operate({ db: server.db, user, time }, input) };
  } catch (error) {
    if (error instanceof ApiError) return refusal(error);
    throw error;
  }
}

function keyedRequest(
  request: IncomingMessage,
  { subject }: User,
  url: URL,
  text: string,
): KeyedRequest | undefined {
  if (request.headers["idempotency-key"] === undefined || request.method === "GET")
    return undefined;
  const key = saneHeader(request, "idempotency-key");
  if (key === undefined) throw new ApiError(400, "invalid_header", "Idempotency-Key is not sane.");
  return { subject, key, request: `${request.method} ${url.pathname}${url.search}\n${text}` };
}

function readBody(route: Route, request: IncomingMessage, text: string): Input {
  if (route.readBody === undefined) {
    if (text !== "" && text !== "{}") throw new ApiError(422, "invalid", "No body is taken.", "");
    return {};
  }
  const type = request.headers["content-type"]?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    throw new ApiError(415, "unsupported_media_type", "The body must be application/json.");
  }
  return route.readBody(text);
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= BODY_BYTES_MAX) chunks.push(chunk);
  }
  if (bytes > BODY_BYTES_MAX) throw new ApiError(413, "too_large", "The body is over 64 KiB.");
  return Buffer.concat(chunks).toString("utf8");
}

function saneHeader(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === "string" && SANE_HEADER.test(value) ? value : undefined;
}

function refusal(error: unknown): Answer {
  if (!(error instanceof ApiError)) {
    return { status: 500, body: { error: "internal", message: "Something broke on our side." } };
  }
  const { status, error: code, message, field } = error;
  return { status, body: { error: code, ...(field === undefined ? {} : { field }), message } };
}

function send(response: ServerResponse, request_id: string, { status, body }: Answer): void {
  response.setHeader("x-request-id", request_id);
  response.setHeader("cache-control", "no-store");
  if (status === 401) response.setHeader("www-authenticate", 'Bearer error="invalid_token"');
  if (status === 204) {
    response.writeHead(204).end();
    return;
  }
  response.writeHead(status, { "content-type": "application/json; charset=utf-8" });
  response.end(JSON.stringify(body));
}
