// A session is a function of who came, by what, through which agent and sign-in.
import { expect, test } from "vitest";
import { Secret } from "../../../src/kernel/secret.ts";
import type { Credential } from "../../../src/kernel/principal.ts";
import { sessionOf, userKey } from "../../../src/session/session.ts";

function credential(changes: Partial<Credential> = {}, subject = "ada"): Credential {
  return {
    principal: {
      issuer: "https://login.test",
      subject,
      name: "Ada",
      tenant: "acme",
      roles: [],
      actor_chain: [],
    },
    issuer_name: "corp",
    agent: "desk",
    client_id: "an-ide",
    scopes: [],
    family: "s-1",
    issued_at_s: 0,
    expires_at_ms: 0,
    token_digest: "x",
    incomplete: undefined,
    proof: new Secret("x"),
    ...changes,
  };
}

test("another person, client, agent or sign-in is another session; a new token is not", () => {
  const id = sessionOf(credential()).id;
  expect(sessionOf(credential({ proof: new Secret("y"), expires_at_ms: 9 })).id).toBe(id);
  const others = [
    sessionOf(credential({}, "bob")),
    sessionOf(credential({ client_id: "other" })),
    sessionOf(credential({ agent: "yard" })),
    sessionOf(credential({ family: "s-2" })),
    sessionOf(credential({ family: undefined })),
    sessionOf(credential({ family: "coarse" })),
  ].map((session) => session.id);
  expect(new Set([id, ...others]).size).toBe(7);
  expect(id).toMatch(/^ses_[\w-]{24}$/);
});

test("without a token family the session says that it is coarser", () => {
  expect(sessionOf(credential()).has_family).toBe(true);
  expect(sessionOf(credential({ family: undefined })).has_family).toBe(false);
});

test("a user's key is of issuer and subject together", () => {
  expect(userKey("https://a.test", "ada")).not.toBe(userKey("https://b.test", "ada"));
  expect(userKey("a", "bc")).not.toBe(userKey("ab", "c"));
});
