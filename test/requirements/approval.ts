// Promises about calls that a human must approve.
import type { Requirement } from "./requirement.ts";

export const approval = {
  "approval.human": {
    source: "I6 build 2",
    behavior: "a call that needs a yes is refused with a link, and runs once its human has said it",
  },
  "approval.bound": {
    source: "I6 build 2",
    behavior: "a yes is for one person, agent, client, tool, policy and set of arguments",
  },
  "approval.once": {
    source: "I6 must show",
    behavior: "a yes is used once: by one of calls at once, and across a kill",
  },
  "approval.yours-alone": {
    source: "I6 must show",
    behavior: "nobody else, no client and no token approves; to them there is no such question",
  },
  "approval.shown": {
    source: "I6 build 2",
    behavior: "the request is shown as it would be sent, escaped, and nothing in it hidden",
  },
  "approval.expires": {
    source: "I6 build 2",
    behavior: "a question and a yes end in time",
  },
  "approval.declined": {
    source: "I6 build 2",
    behavior: "a no is told to the agent, and takes an unused yes back",
  },
  "approval.voided": {
    source: "I6 must show",
    behavior: "a lock, an ending, another policy or another tool takes it away for good",
  },
  "approval.bounded": {
    source: "I6 build 2",
    behavior: "questions are bounded per agent, user and in all; a full table refuses",
  },
  "approval.recorded": {
    source: "I6 build 2",
    behavior: "yes, no and end are in the ledger before they count, and the call's record names it",
  },
  "approval.elicited": {
    source: "I6 build 2",
    behavior: "a client's own form counts only where the operator trusts it to ask, in both eras",
  },
} satisfies Record<string, Requirement>;
