// Promises about code that is not doorless's own: the operator's tools, and what a model writes.
import type { Requirement } from "./requirement.ts";

export const sandbox = {
  "sandbox.manifest": {
    source: "I3 build 1",
    behavior:
      "a code tool's manifest is read out of a worker, and is held to what a tool file is held to",
  },
  "sandbox.code-tool": {
    source: "I3 build 1",
    behavior:
      "a code tool reaches the operations of its uses as the user, each in the record's downstream",
  },
  "sandbox.tool-fails": {
    source: "I3 bad input",
    behavior: "a tool that throws, hangs, floods or answers wrongly ends its own call and no other",
  },
  "sandbox.frames": {
    source: "I3 build 2",
    behavior: "what a worker sends is bounded before it is parsed, and is JSON of plain objects",
  },
  "sandbox.worker-owner": {
    source: "I3 build 2",
    behavior: "a worker belongs to one session and one tool, and is never used for another",
  },
  "sandbox.author": {
    source: "I3 build 1",
    behavior: "an author sees the schema, runs a tool as nobody, and reloads it as he saves",
  },
  "sandbox.revoked": {
    source: "DESIGN 1, Revocation; I3 build 2",
    behavior: "when a session may not go on, its running code and its idle workers end at once",
  },
  "sandbox.capacity": {
    source: "I3 build 2",
    behavior: "workers are bounded in all and per user; beyond that a call is refused",
  },
  "sandbox.limits": {
    source: "I3 build 2",
    behavior: "memory, processor time, wall clock and output of a worker end it, not the server",
  },
  "sandbox.levels": {
    source: "I3 build 3",
    behavior: "each level stops what the table of claims says, and the threat model shows it",
  },
  "sandbox.escape": {
    source: "I3 must show",
    behavior: "no attempt of the list gets hold of its canary at a level that claims to stop it",
  },
  "sandbox.probe": {
    source: "I3 build 4",
    behavior: "a level that does not hold stops the start; nothing runs at a lower one instead",
  },
  "sandbox.below-os": {
    source: "DESIGN 5 Workers",
    behavior: "beyond loopback, code needs level os unless the configuration says otherwise",
  },
  "sandbox.run-code": {
    source: "I3 build 5, INTERFACE The demo world",
    behavior: "run_code answers with what the code returned and printed, within its limits",
  },
  "sandbox.inner-calls": {
    source: "DESIGN 4",
    behavior: "each tool call of generated code is a full call with its own records",
  },
} satisfies Record<string, Requirement>;
