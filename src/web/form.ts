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
  const foreign = comesFromElsewhere(req, public_url);
  if (foreign !== undefined) return no(refusal("forbidden_origin", { cause: foreign }));
  if (!/^application\/x-www-form-urlencoded(?:$|[ ;])/i.test(req.headers["content-type"] ?? "")) {
    return no(refusal("parse_error", { reason: "It is not a form by its headers." }));
  }
  const body = await readBody(req, FORM_BYTES_MAX);
  if (!body.ok) return body;
  return ok(new Request(url, { method: "POST", headers, body: new Uint8Array(body.value) }));
}

/**
 * Pages elsewhere may be allowed to call /mcp; to fill in our forms, none is, and no frame. A
 * browser says of each form where it comes from, by Origin and by Fetch Metadata.
 */
function comesFromElsewhere({ headers }: IncomingMessage, public_url: string): string | undefined {
  const expected = {
    origin: public_url,
    "sec-fetch-site": "same-origin",
    "sec-fetch-dest": "document",
  };
  for (const [name, value] of Object.entries(expected)) {
    if (headers[name] !== undefined && headers[name] !== value) return name;
  }
  return undefined;
}
