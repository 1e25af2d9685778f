// Promises about people's links to other APIs, and about their sign-in on this machine.
import type { Requirement } from "./requirement.ts";

export const connections = {
  "connections.connect": {
    source: "I5 build 4",
    behavior: "a person links her own account on /connect, and her calls go through as her",
  },
  "connections.same-person": {
    source: "I5 must show",
    behavior: "the same person is proved at the start and at the way back; else nothing connects",
  },
  "connections.once": {
    source: "I5 build 4",
    behavior: "a link works once, for ten minutes, and names nobody",
  },
  "connections.elicited": {
    source: "I5 build 4",
    behavior: "the link reaches the user by URL-mode elicitation in both eras, else in words",
  },
  "connections.own-key": {
    source: "I5 build 3",
    behavior: "an API with nothing better gets the user's own key, pasted on /connect by her",
  },
  "connections.missing-door": {
    source: "DESIGN 1.2",
    behavior: "a connector of no tool of this person has no page for her",
  },
  "connections.locked": {
    source: "I5 build 2",
    behavior: "an operator's lock on a person reaches the pages on which she connects",
  },
  "connections.refresh": {
    source: "I5 build 5",
    behavior: "a link is refreshed once for all who wait, and its result durable before it is used",
  },
  "connections.many-processes": {
    source: "I5 must show",
    behavior: "several processes on one vault, killed at times, lose no link and reuse no token",
  },
  "connections.doubt": {
    source: "I5 build 5",
    behavior: "a refresh token whose answer was lost is asked about before it is sent again",
  },
  "connections.failures": {
    source: "I5 build 7",
    behavior: "whatever a third-party server answers is a token or a structured refusal",
  },
  "connections.disconnect": {
    source: "I5 build 4",
    behavior: "disconnecting revokes upstream and leaves a tombstone that nothing brings back",
  },
} satisfies Record<string, Requirement>;

export const vault = {
  "vault.sealed": {
    source: "I5 build 5",
    behavior: "a link is sealed under a key of its own, whose key lies outside the data folder",
  },
  "vault.swapped-row": {
    source: "I5 must show",
    behavior: "a row that was swapped or edited in the store is refused",
  },
  "vault.rolled-back": {
    source: "I5 must show",
    behavior: "a row that was put back is refused, because the ledger knows its version",
  },
  "vault.compare-and-set": {
    source: "I5 build 5",
    behavior: "of two writes from one version one wins, over all processes",
  },
  "vault.lease": {
    source: "I5 build 5",
    behavior: "one process refreshes a link at a time, and a death in between leaves a mark",
  },
  "vault.rotate": {
    source: "I5 build 5",
    behavior: "the vault's key is replaced without opening the links, and the old one forgotten",
  },
  "vault.cache": {
    source: "I5 build 5",
    behavior: "a cache that fails is a refusal, never a miss",
  },
} satisfies Record<string, Requirement>;

export const signIn = {
  "sign-in.nobody": {
    source: "I5 build 6",
    behavior: "who is not signed in gets an empty list and login_required; no browser is started",
  },
  "sign-in.login": {
    source: "I5 must show",
    behavior: "login, a restart of the client, and the tools are there; logout takes them away",
  },
  "sign-in.issuer": {
    source: "I5 must show, two issuers at once",
    behavior: "where several providers take sign-ins, the person chooses, and none is guessed",
  },
  "sign-in.device": {
    source: "I5 build 6",
    behavior: "--device signs in on another device",
  },
  "sign-in.stored": {
    source: "I5 build 6",
    behavior: "a sign-in is stored encrypted, its key in the keychain or in a file elsewhere",
  },
  "sign-in.stays-here": {
    source: "I5 build 6",
    behavior: "a token for this machine's doorless is never sent elsewhere, whatever a folder says",
  },
  "sign-in.shared": {
    source: "I5 build 6",
    behavior: "several clients share one sign-in, and refresh one at a time",
  },
} satisfies Record<string, Requirement>;
