// A session is a function of who came, by what, through which agent and sign-in.
import { expect, test } from "vitest";
import { Secret } from "../../../src/kernel/secret.ts";
import { userKey } from "../../../src/session/session.ts";
import { going } from "../../setup/going.ts";

test("another person, client, agent or sign-in is another session; a new token is not", () => {
  const id = going().session.id;
  expect(going({ proof: new Secret("y"), expires_at_ms: 9 }).session.id).toBe(id);
  const others = [
    going({ subject: "bob" }).session,
    going({ client_id: "other" }).session,
    going({ agent: "yard" }).session,
    going({ family: "s-2" }).session,
    going({ family: undefined }).session,
    going({ family: "coarse" }).session,
  ].map((session) => session.id);
  expect(new Set([id, ...others]).size).toBe(7);
  expect(id).toMatch(/^ses_[\w-]{24}$/);
});

test("without a token family the session says that it is coarser", () => {
  expect(going().session.has_family).toBe(true);
  expect(going({ family: undefined }).session.has_family).toBe(false);
});

test("a user's key is of issuer and subject together", () => {
  expect(userKey("https://a.test", "ada")).not.toBe(userKey("https://b.test", "ada"));
  expect(userKey("a", "bc")).not.toBe(userKey("ab", "c"));
});
