// Promises of the policy: what a call's arguments may be, and how that is seen and changed.
import type { Requirement } from "./requirement.ts";

export const policy = {
  "policy.lists": {
    source: "I6 build 1",
    behavior:
      "lists name tools, toolsets, effects; exclude beats include, read-only beats all, deny wins",
  },
  "policy.rules": {
    source: "I6 build 1",
    behavior:
      "each kind of argument rule is enforced at the call, and says path and what is allowed",
  },
  "policy.bad-input": {
    source: "I6 bad input",
    behavior: "hostile values satisfy no rule that their looks suggest, and none hangs",
  },
  "policy.mistakes": {
    source: "I6 bad input",
    behavior: "a rule that could not mean what it says stops the start, with its place and a mend",
  },
  "policy.narrowed": {
    source: "I6 build 1",
    behavior: "the advertised schema says what the rules fix for this credential, and no more",
  },
  "policy.seen": {
    source: "I6 build 1",
    behavior: "what an earlier answer held is known per session, bounded, and forgotten closed",
  },
  "policy.reference": {
    source: "I6 must show",
    behavior: "callable if and only if listed and the arguments allowed, by a reference evaluator",
  },
  "policy.monotone": {
    source: "I6 build 1",
    behavior: "adding a deny never adds a tool or a call",
  },
  "policy.live": {
    source: "I6 build 4",
    behavior:
      "a changed policy is taken whole or not at all, and judges what runs at its next step",
  },
  "policy.shadow": {
    source: "I6 build 3",
    behavior: "a policy that is tried out refuses nothing, and what it would refuse is on record",
  },
  "policy.plan": {
    source: "INTERFACE, plan",
    behavior: "plan says who gains and loses which tool, and exits 1 when someone gains a write",
  },
  "policy.lint": {
    source: "I6 build 3",
    behavior: "each fault that the linter knows is found where it stands, and no other",
  },
  "policy.injecagent": {
    source: "I6 must show",
    behavior: "a hijacked agent's calls have no effect outside the policy of its task",
  },
} satisfies Record<string, Requirement>;
