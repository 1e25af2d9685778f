// What every request without a valid token must get, and must not get.
import { expect } from "vitest";
import type { Boundary } from "./boundary.ts";
import { callTool, mcpHeaders, rpc } from "./mcp-post.ts";
import type { Posted } from "./mcp-post.ts";

/** Text that shows where or how the program is written. */
export const STACK = /\bat .+:\d+:\d+|node_modules|node:internal|\.ts:\d+|\/src\//;

/** A 401 of RFC 6750 section 3 that names the metadata, and nothing of the token or of us. */
export function expectStranger(boundary: Boundary, agent: string, posted: Posted): void {
  expect(posted.status).toBe(401);
  const challenge = posted.headers.get("www-authenticate") ?? "";
  const metadata = `${boundary.url}/.well-known/oauth-protected-resource/mcp/${agent}`;
  expect(challenge).toMatch(/^Bearer /);
  expect(challenge).toContain(`resource_metadata="${metadata}"`);
  const { error } = JSON.parse(posted.text) as { error: Record<string, unknown> };
  expect(error).toMatchObject({ code: "invalid_token", effect: "none", who_can_fix: "user" });
  expect(posted.text).not.toMatch(STACK);
}

/** Fails where any 20 characters in a row of a token's payload or signature are in the text. */
export function expectNoEcho(token: string, ...texts: readonly string[]): void {
  const [, ...parts] = token.split(".");
  const pieces = parts.flatMap((part) =>
    [0, Math.floor(part.length / 2)].map((at) => part.slice(at, at + 20)),
  );
  for (const piece of pieces.filter((one) => one.length === 20)) {
    for (const text of texts) expect(text.includes(piece), "a token is echoed").toBe(false);
  }
}

/** One call with this token as the bearer; refused, unrecorded, unechoed, and nothing ran. */
export async function expectRefused(
  boundary: Boundary,
  agent: string,
  token: string,
): Promise<Posted> {
  const before = { ...boundary.provider.hits, lines: boundary.ledger().length };
  const posted = await callTool(`${boundary.url}/mcp/${agent}`, `Bearer ${token}`, "item_get", {
    id: "7",
  });
  expectStranger(boundary, agent, posted);
  expect(posted.headers.get("www-authenticate")).toContain('error="invalid_token"');
  const headers = JSON.stringify([...posted.headers]);
  expectNoEcho(token, posted.text, headers, boundary.logged());
  expect(boundary.provider.hits.token).toBe(before.token);
  expect(boundary.api.seen).toEqual([]);
  expect(boundary.ledger()).toHaveLength(before.lines);
  return posted;
}

/** The names that tools/list answers with. */
export async function listed(
  boundary: Boundary,
  agent: string,
  token: string,
): Promise<{ status: number; names: string[] }> {
  const response = await fetch(`${boundary.url}/mcp/${agent}`, {
    method: "POST",
    headers: { ...mcpHeaders("tools/list"), authorization: `Bearer ${token}` },
    body: JSON.stringify(rpc("tools/list")),
  });
  const body = (await response.json()) as { result?: { tools: { name: string }[] } };
  return { status: response.status, names: (body.result?.tools ?? []).map(({ name }) => name) };
}
