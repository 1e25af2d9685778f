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
    client_id: "an-ide",
    scopes: [],
    family: "s-1",
    expires_at_ms: 0,
    proof: new Secret("x"),
    ...changes,
  };
}

test("another person, client, agent or sign-in is another session; a new token is not", () => {
  const id = sessionOf(credential(), "desk").id;
  expect(sessionOf(credential({ proof: new Secret("y"), expires_at_ms: 9 }), "desk").id).toBe(id);
  const others = [
    sessionOf(credential({}, "bob"), "desk"),
    sessionOf(credential({ client_id: "other" }), "desk"),
    sessionOf(credential(), "yard"),
    sessionOf(credential({ family: "s-2" }), "desk"),
    sessionOf(credential({ family: undefined }), "desk"),
    sessionOf(credential({ family: "coarse" }), "desk"),
  ].map((session) => session.id);
  expect(new Set([id, ...others]).size).toBe(7);
  expect(id).toMatch(/^ses_[\w-]{24}$/);
});

test("without a token family the session says that it is coarser", () => {
  expect(sessionOf(credential(), "desk").has_family).toBe(true);
  expect(sessionOf(credential({ family: undefined }), "desk").has_family).toBe(false);
});

test("a user's key is of issuer and subject together", () => {
  expect(userKey("https://a.test", "ada")).not.toBe(userKey("https://b.test", "ada"));
  expect(userKey("a", "bc")).not.toBe(userKey("ab", "c"));
});
