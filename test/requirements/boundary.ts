// Promises of the boundary itself: who, which door, within what, and on record.
import type { Requirement } from "./requirement.ts";

export const auth = {
  "auth.metadata": {
    source: "I2 build 4, RFC 9728",
    behavior: "each agent has protected-resource metadata with minimal scopes",
  },
  "auth.challenge": {
    source: "I2 build 4, RFC 6750 section 3",
    behavior: "a bad credential answers 401 invalid_token with WWW-Authenticate",
  },
  "auth.jwt-strict": {
    source: "I2 build 4, RFC 9068 section 4",
    behavior: "issuer, audience, typ, algorithm, required claims and age are all checked",
  },
  "auth.person-not-client": {
    source: "I2 build 4",
    behavior: "a token whose subject is its own client is refused",
  },
  "auth.one-agent": {
    source: "DESIGN 2 agent",
    behavior: "a token must match exactly one agent and the URL it is used at",
  },
  "auth.claim-pointers": {
    source: "I2 build 2",
    behavior: "tenant and roles are read from the token by JSON pointer",
  },
  "auth.bindings": {
    source: "I5 must show",
    behavior: "the demo's tools work with each of the three ways to bind a token to an agent",
  },
  "auth.profiles": {
    source: "I5 build 1",
    behavior: "a provider that deviates from RFC 9068 is taken only by an explicit profile",
  },
  "auth.claims-missing": {
    source: "I5 build 1",
    behavior: "a token that lacks what decides a user's roles is refused with its own error",
  },
  "auth.issuers": {
    source: "I5 build 1",
    behavior: "several issuers each speak for their own people, tenants, keys and agents",
  },
  "auth.exclusive": {
    source: "I5 build 1",
    behavior: "while an exclusive agent is used, its user's client has no other agent",
  },
  "auth.host-and-origin": {
    source: "DESIGN 5 HTTP",
    behavior: "a foreign Host or Origin answers 403 before anything is parsed",
  },
} satisfies Record<string, Requirement>;

export const identity = {
  "identity.as-the-user": {
    source: "DESIGN 1.1",
    behavior: "each downstream request carries a token obtained for that person and that API",
  },
  "identity.fails-without-user": {
    source: "DESIGN 1.1",
    behavior: "when the person's token cannot be obtained, the call fails and says so",
  },
  "identity.exchange-checked": {
    source: "I2 build 6",
    behavior: "subject, audience and scope of an exchanged token are checked before it is used",
  },
  "identity.dialects": {
    source: "I5 build 3",
    behavior: "Keycloak, Okta, Auth0 and Entra are asked exactly as they want, and believed alike",
  },
  "identity.token-stays": {
    source: "I2 must show",
    behavior: "the client's token is in no downstream request, no ledger record and no log",
  },
} satisfies Record<string, Requirement>;

export const surface = {
  "surface.tables": {
    source: "INTERFACE, The demo world",
    behavior: "each person and agent have exactly the tools that the tables imply",
  },
  "surface.missing-door": {
    source: "DESIGN 1.2",
    behavior: "a hidden tool answers byte for byte like one that never existed",
  },
  "surface.one-object": {
    source: "DESIGN 1.2",
    behavior: "a tool is callable if and only if it is listed",
  },
  "surface.default-deny": {
    source: "DESIGN 5 Policy",
    behavior: "what no rule allows is absent, and an explicit deny wins",
  },
  "surface.empty-list": {
    source: "INTERFACE, The demo world",
    behavior: "a valid token without a door gets an empty list, not an error",
  },
  "surface.drafts": { source: "DESIGN 5 Tools", behavior: "a draft tool is never loaded" },
  "surface.narrowing": {
    source: "INTERFACE, The command",
    behavior: "Doorless-Tools and Doorless-Read-Only narrow a surface and never widen it",
  },
  "surface.explain": {
    source: "I2 build 5",
    behavior: "surface and explain show what a session has, and the rule that decided",
  },
} satisfies Record<string, Requirement>;

export const broker = {
  "broker.declared-operations": {
    source: "DESIGN 5 Egress broker",
    behavior: "the broker sends only the operations that the tool declares, and takes no URL",
  },
  "broker.origin-only": {
    source: "DESIGN 5 Egress broker",
    behavior:
      "the broker dials the connector's origin at a checked address and follows no redirect",
  },
  "broker.token-echo": {
    source: "DESIGN 5 Egress broker",
    behavior: "a response that contains the token is withheld",
  },
  "broker.projection": {
    source: "I2 build 6",
    behavior: "a result holds the projected fields only, in the advertised output schema",
  },
  "broker.styles": {
    source: "I7 build 1",
    behavior: "an API reads from a request exactly the arguments, or the call was refused",
  },
  "broker.tool-files": {
    source: "I2 build 6",
    behavior: "a tool file without effects or target does not load",
  },
} satisfies Record<string, Requirement>;

export const limits = {
  "limits.loop": {
    source: "DESIGN 1 property 4",
    behavior: "a runaway loop is refused with a time to wait, and starves nobody else",
  },
  "limits.exact": {
    source: "DESIGN 5 Limits",
    behavior: "never more than the rate in any window, all buckets or none, retry_after_ms exact",
  },
  "limits.kept": {
    source: "I6 build 5",
    behavior: "restarts, new sessions, parallel calls and clocks that are set gain nothing",
  },
  "limits.shared": {
    source: "I6 build 5",
    behavior: "many sessions of one user share the user's limit: none of them starves another",
  },
  "limits.documented": {
    source: "I6 build 5",
    behavior: "each limit has a value without configuration, and docs/limits.md says which",
  },
  "limits.strangers": {
    source: "I6 build 5",
    behavior: "before anybody is known a small limit per network address holds, behind a proxy too",
  },
  "limits.bounded": {
    source: "I6 build 5",
    behavior: "the limits' memory is bounded; a full table refuses rather than forgets",
  },
  "limits.budget": {
    source: "I6 build 5",
    behavior: "calls, bytes and cost units have a budget per day, rebuilt from the ledger",
  },
  "limits.repeats": {
    source: "I6 build 5",
    behavior: "the same call, two in turn, or the same error over and over is refused, and named",
  },
  "limits.resources": {
    source: "I6 build 6",
    behavior: "a call's time, bytes, requests and result are bounded; over a bound is an error",
  },
} satisfies Record<string, Requirement>;

export const ledger = {
  "ledger.signed": {
    source: "I4 build 3",
    behavior:
      "checkpoints over a Merkle tree are signed and anchored; a cut or rewritten log shows",
  },
  "ledger.sealed": {
    source: "I4 build 4",
    behavior:
      "text and names are sealed under a key per person; opened only with a recorded reason",
  },
  "ledger.erase": {
    source: "I4 build 6",
    behavior: "erasing a person destroys the key: no file holds the text, the chain stays whole",
  },
  "ledger.repair": {
    source: "I4 build 2",
    behavior: "a damaged log stops the start until the loss is accepted, which is a record itself",
  },
  "ledger.export": {
    source: "I4 build 6",
    behavior: "records leave as JSON lines, OCSF events, or CSV that no spreadsheet executes",
  },
  "ledger.parquet": {
    source: "I4, last",
    behavior: "with DuckDB, records leave as a Parquet file of fixed columns that replaces none",
  },
  "ledger.report": {
    source: "I4, last",
    behavior: "with DuckDB, which reaches nothing else, calls, writes and refusals are counted",
  },
  "ledger.intent-first": {
    source: "DESIGN 4 step 7",
    behavior: "the intent is durable before a used token is obtained and before any byte leaves",
  },
  "ledger.outcome-first": {
    source: "DESIGN 4 step 11",
    behavior: "the outcome is durable before the answer, even when the caller hung up",
  },
  "ledger.no-sink-no-call": {
    source: "DESIGN 5 Ledger",
    behavior: "without a durable intent nothing runs; without an outcome nothing is answered",
  },
  "ledger.refusals": {
    source: "DESIGN 4",
    behavior: "a refusal of a known person is recorded; a stranger's is not in the ledger",
  },
  "ledger.chain": {
    source: "DESIGN 1.3",
    behavior: "a changed, dropped or reordered record is found by audit verify",
  },
  "ledger.record": {
    source: "INTERFACE, The command",
    behavior: "a record has the fields of INTERFACE, both halves of a call in one",
  },
  "ledger.filters": {
    source: "INTERFACE, audit query",
    behavior: "each filter of audit query selects, newest first, with a cursor",
  },
  "ledger.sinks": {
    source: "I4, push",
    behavior:
      "sinks get the log's lines from a cursor of their own; only a required one stops calls",
  },
  "ledger.retention": {
    source: "I4, retention",
    behavior: "whole segments are dropped and leave a tombstone; the rest verifies",
  },
  "ledger.hold": {
    source: "I4, erasure",
    behavior: "who is under a legal hold is not erased, and no segment goes meanwhile",
  },
  "ledger.mutants": {
    source: "I4, proof kit",
    behavior: "a fault put into the ledger's source is found by its proof",
  },
  "ledger.readers": {
    source: "I4, query",
    behavior: "people read their own records, auditors their tenant's, nobody another tenant's",
  },
  "ledger.fast": {
    source: "I4, query",
    behavior: "each advertised question is answered from one index, in order, whatever the size",
  },
  "ledger.who-changed-this": {
    source: "I2 must show",
    behavior: "audit query --record says who, when, with which arguments and result",
  },
  "ledger.kill": {
    source: "I2 must show",
    behavior: "after kill -9 every request the API saw has its intent in the ledger",
  },
} satisfies Record<string, Requirement>;

export const revocation = {
  "revocation.lock": {
    source: "I5 build 2, DESIGN 4",
    behavior: "an operator's lock on a user, session, tool, agent or everything stops it at once",
  },
  "revocation.durable": {
    source: "I5 build 2",
    behavior: "locks and ended sessions outlive the process",
  },
  "revocation.running": {
    source: "I5 must show",
    behavior: "a running call is aborted, answers access_revoked, and sends nothing afterwards",
  },
  "revocation.streams": {
    source: "I5 build 2",
    behavior: "open streams of whoever lost access are closed; others hear list_changed",
  },
  "revocation.tokens": {
    source: "I5 build 2, RFC 7009",
    behavior: "downstream tokens of whoever lost access are dropped and revoked at the provider",
  },
  "revocation.sessions": {
    source: "INTERFACE, sessions",
    behavior: "sessions ls lists sessions, and a killed one's sign-in is not accepted again",
  },
  "revocation.pushed": {
    source: "I5 build 2, OIDC back-channel logout, RFC 8935",
    behavior: "a logout token or security event ends what it names within a second",
  },
  "revocation.asked": {
    source: "I5 build 2",
    behavior: "liveness is asked within its bound, also while a call runs; no answer is no entry",
  },
  "revocation.stated": {
    source: "I5 build 2",
    behavior: "each issuer's liveness is configured, shown at the start and in each record",
  },
} satisfies Record<string, Requirement>;
