// From Node's request to a web one, with cookies, for the pages of people: a form is small.
import type { IncomingMessage } from "node:http";
import type { Config } from "../config/load.ts";
import { refusal } from "../kernel/errors.ts";
import { no, ok } from "../kernel/result.ts";
import type { Result } from "../kernel/result.ts";
import { readBody } from "./guards.ts";

const FORM_BYTES_MAX = 16_384;
const KEPT = ["cookie", "content-type"] as const;

export async function takeForm(
  req: IncomingMessage,
  { public_url }: Config,
): Promise<Result<Request>> {
  const headers = new Headers();
  for (const name of KEPT) {
    const value = req.headers[name];
    if (value !== undefined) headers.set(name, value);
  }
  const url = new URL(req.url ?? "/", public_url);
  if (req.method !== "POST") return ok(new Request(url, { method: req.method ?? "GET", headers }));
  // Pages elsewhere may be allowed to call /mcp; to fill in our forms, none is.
  if (req.headers.origin !== undefined && req.headers.origin !== public_url) {
    return no(refusal("forbidden_origin", { cause: "Origin" }));
  }
  if (!/^application\/x-www-form-urlencoded(?:$|[ ;])/i.test(req.headers["content-type"] ?? "")) {
    return no(refusal("parse_error", { reason: "It is not a form by its headers." }));
  }
  const body = await readBody(req, FORM_BYTES_MAX);
  if (!body.ok) return body;
  return ok(new Request(url, { method: "POST", headers, body: new Uint8Array(body.value) }));
}
