// What the project promises so far, one id each. Tests cite ids with `verifies(id, ...)`;
// test/pins/requirements.test.ts fails on an id that no test cites, and on a citation of no id.
// `source` is the sentence's home: DESIGN, INTERFACE, or the issue (I2) that asked for it.

export interface Requirement {
  readonly source: string;
  readonly behavior: string;
}

const house = {
  "house.fresh-clone": {
    source: "INTERFACE, Two commands",
    behavior: "npm ci needs no install script and no particular registry",
  },
  "house.start": {
    source: "I2 must show",
    behavior: "npm start works where only an old Node and npm are installed",
  },
  "house.launcher-runtime": {
    source: "DESIGN 5 Runtime",
    behavior: "the launcher finds a Node that is new enough, or says which one is needed",
  },
  "house.launcher-flags": {
    source: "DESIGN 5 Workers",
    behavior: "the server runs with --disable-sigusr1 and no flag else; a debugger flag stops it",
  },
  "house.layers": {
    source: "DESIGN 3",
    behavior: "an import upwards, a library outside its room, or no import at all fails the check",
  },
  "house.tidy": {
    source: "DESIGN 2",
    behavior: "banned names, oversized files and functions, and leaked paths fail the check",
  },
  "house.logs": { source: "I2 build 1", behavior: "logs go to stderr, with secrets redacted" },
  "house.health": {
    source: "INTERFACE, The HTTP surface",
    behavior: "/healthz, /readyz and /metrics answer, /metrics only to loopback or an operator",
  },
  "house.traces": {
    source: "DESIGN 1",
    behavior: "one trace spans the call's steps and reaches the downstream request",
  },
  "house.prove": {
    source: "I2 build 9",
    behavior: "prove checks each kept promise with evidence, and exits 1 if one does not hold",
  },
} satisfies Record<string, Requirement>;

const config = {
  "config.example": {
    source: "I2 build 2",
    behavior: "mcp.config.json at the root is valid and is what the demo runs",
  },
  "config.mistake-located": {
    source: "I2 build 2",
    behavior: "a mistake or unknown key stops the start with file, JSON pointer and mend",
  },
  "config.schema": {
    source: "I2 build 2",
    behavior: "schema prints the JSON Schema that the configuration names in $schema",
  },
  "config.no-shared-credential": {
    source: "DESIGN 1 Identity",
    behavior: "no setting can hold a shared downstream credential",
  },
  "config.secrets-by-reference": {
    source: "I2 build 2",
    behavior: "a secret comes from the environment or a file: reference, never from the text",
  },
  "config.agent-bindings": {
    source: "DESIGN 2 agent",
    behavior: "a token is bound to an agent by own audience, by scope, or by client",
  },
  "config.agent-overlap": {
    source: "DESIGN 2 agent",
    behavior: "two agents that one token could match stop the start",
  },
} satisfies Record<string, Requirement>;

const mcp = {
  "mcp.both-eras": {
    source: "DESIGN 5 MCP",
    behavior: "2026-07-28 and the older revisions are served by one door",
  },
  "mcp.clients-agree": {
    source: "I2 must show",
    behavior: "v1 client, v2 client and Inspector see the same tools, over HTTP and stdio",
  },
  "mcp.older-session": {
    source: "I2 build 3",
    behavior: "older revisions get a session with cancellation, client identity, list_changed",
  },
  "mcp.session-not-yours": {
    source: "DESIGN 6",
    behavior: "a session id that is not yours answers 404",
  },
  "mcp.list-shape": {
    source: "DESIGN 5 MCP",
    behavior: "tools/list is sorted, cacheScope private, ttlMs 0, without x-mcp-header",
  },
  "mcp.stdio-bridge": {
    source: "I2 build 3",
    behavior: "stdio attaches to the doorless that owns the data folder, with DOORLESS_TOKEN",
  },
  "mcp.traceparent": {
    source: "I2 build 3",
    behavior: "traceparent in _meta is carried on as a new child",
  },
  "mcp.call-id": {
    source: "INTERFACE, The command",
    behavior: "every tool result carries _meta doorless/call_id",
  },
} satisfies Record<string, Requirement>;

const auth = {
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
  "auth.host-and-origin": {
    source: "DESIGN 5 HTTP",
    behavior: "a foreign Host or Origin answers 403 before anything is parsed",
  },
} satisfies Record<string, Requirement>;

const identity = {
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
  "identity.token-stays": {
    source: "I2 must show",
    behavior: "the client's token is in no downstream request, no ledger record and no log",
  },
} satisfies Record<string, Requirement>;

const surface = {
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
  "surface.not-yet": {
    source: "I2 until their own issues",
    behavior: "mail_send and billing_refund are listed and refuse with what is missing",
  },
} satisfies Record<string, Requirement>;

const broker = {
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
  "broker.tool-files": {
    source: "I2 build 6",
    behavior: "a tool file without effects or target does not load",
  },
} satisfies Record<string, Requirement>;

const limits = {
  "limits.loop": {
    source: "DESIGN 1 property 4",
    behavior: "a runaway loop is refused with a time to wait, and starves nobody else",
  },
  "limits.exact": {
    source: "DESIGN 5 Limits",
    behavior: "never more than the rate in any window, all buckets or none, retry_after_ms exact",
  },
} satisfies Record<string, Requirement>;

const ledger = {
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
  "ledger.who-changed-this": {
    source: "I2 must show",
    behavior: "audit query --record says who, when, with which arguments and result",
  },
  "ledger.kill": {
    source: "I2 must show",
    behavior: "after kill -9 every request the API saw has its intent in the ledger",
  },
} satisfies Record<string, Requirement>;

const demo = {
  "demo.names-the-person": {
    source: "I2 must show",
    behavior: "the API's own audit log names the person, with our call id as request id",
  },
  "demo.row-permissions": {
    source: "INTERFACE, The demo world",
    behavior: "the API enforces tenant, team and owner by itself",
  },
  "demo.ready-line": {
    source: "INTERFACE, demo",
    behavior: "demo --json prints one ready line, then everything answers; state is kept",
  },
  "demo.stop": {
    source: "INTERFACE, demo",
    behavior: "SIGTERM and SIGINT stop everything within 5 s, exit 0",
  },
  "demo.loopback": {
    source: "INTERFACE, demo",
    behavior: "the demo binds loopback only, and start refuses its provider",
  },
  "demo.identity-provider": {
    source: "I2 build 8",
    behavior: "a real client signs in without set-up: registration, PKCE, resource indicators",
  },
  "demo.token": { source: "INTERFACE, demo token", behavior: "demo token prints a working token" },
  "demo.levers": { source: "INTERFACE, demo set", behavior: "each lever of demo set works" },
  "demo.snippets": {
    source: "I2 must show",
    behavior: "each printed snippet parses, connects as it stands, and holds no token",
  },
} satisfies Record<string, Requirement>;

const errors = {
  "errors.table": {
    source: "DESIGN 6",
    behavior: "code, retry, who can fix, effects and outcome of each error are pinned",
  },
  "errors.page": { source: "DESIGN 6", behavior: "docs/errors.md is what the table generates" },
  "errors.shape": {
    source: "DESIGN 6",
    behavior: "a refusal is a result with isError, one text line and structuredContent.error",
  },
  "errors.effect": {
    source: "DESIGN 4",
    behavior: "an error says none, unknown or done by the step at which it arose",
  },
  "errors.no-leak": {
    source: "DESIGN 6",
    behavior: "no error holds a stack, a token or a downstream body",
  },
  "errors.protocol": {
    source: "DESIGN 6",
    behavior: "protocol errors are for malformed requests, unknown tools and authentication",
  },
} satisfies Record<string, Requirement>;

const cli = {
  "cli.help": {
    source: "INTERFACE, The command",
    behavior: "every verb has --help, and --json if it prints data",
  },
  "cli.exit-codes": {
    source: "INTERFACE, The command",
    behavior: "exit codes are those of INTERFACE",
  },
  "cli.stdout": {
    source: "INTERFACE, The command",
    behavior: "stdout holds results only, stderr everything else",
  },
  "cli.stop": {
    source: "INTERFACE, demo",
    behavior: "a signal to the launcher stops the program, and its death leaves none behind",
  },
  "cli.call": {
    source: "INTERFACE, call",
    behavior: "call makes one call as the person of DOORLESS_TOKEN; with --dry-run, none",
  },
  "cli.no-token": {
    source: "INTERFACE, The command",
    behavior: "no verb but demo token prints a token",
  },
} satisfies Record<string, Requirement>;

const badInput = {
  "bad-input.tokens": {
    source: "I2 bad input",
    behavior: "unsigned, expired, foreign, clients' own and ambiguous tokens are refused",
  },
  "bad-input.arguments": {
    source: "I2 bad input",
    behavior: "wrong, missing, extra, huge and deeply nested arguments get their own error",
  },
  "bad-input.bodies": {
    source: "I2 build 4",
    behavior: "too many bytes, levels or keys, and a duplicate key, are refused while reading",
  },
  "bad-input.slow-client": {
    source: "I2 build 4",
    behavior: "a client that dribbles its request is cut off",
  },
  "bad-input.provider": {
    source: "I2 bad input",
    behavior: "a provider that is down, slow or talks garbage answers identity_unavailable",
  },
  "bad-input.api": {
    source: "I2 bad input",
    behavior: "an API that is down, slow or talks garbage gets its own error",
  },
  "bad-input.recorded": {
    source: "I2 bad input",
    behavior: "nothing runs that should not, and nothing is missing from the ledger",
  },
} satisfies Record<string, Requirement>;

export const requirements = {
  ...house,
  ...config,
  ...mcp,
  ...auth,
  ...identity,
  ...surface,
  ...broker,
  ...limits,
  ...ledger,
  ...demo,
  ...errors,
  ...cli,
  ...badInput,
} satisfies Record<string, Requirement>;

export type RequirementId = keyof typeof requirements;
