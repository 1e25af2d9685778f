// Promises of what people type, see and connect to.
import type { Requirement } from "./requirement.ts";

export const house = {
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

export const config = {
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

export const mcp = {
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
  "mcp.background-core": {
    source: "DESIGN 5 stdio is a bridge",
    behavior: "stdio starts the local core when none runs; it stops after its last client",
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

export const demo = {
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
  "demo.config": {
    source: "I6 build 4",
    behavior: "what somebody changed in the demo's configuration is kept over its runs",
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

export const errors = {
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

export const cli = {
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
  "cli.doctor": {
    source: "INTERFACE, doctor",
    behavior: "doctor says what is wrong, in files and at peers, and how to mend it; no secret",
  },
  "cli.no-token": {
    source: "INTERFACE, The command",
    behavior: "no verb but demo token prints a token",
  },
} satisfies Record<string, Requirement>;

export const badInput = {
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
