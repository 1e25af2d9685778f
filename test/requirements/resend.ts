// Promises about writes that are sent again.
import type { Requirement } from "./requirement.ts";

export const resend = {
  "resend.once": {
    source: "I7 build 6",
    behavior: "a write that comes again with its key runs once and gets the first answer, marked",
  },
  "resend.hung-up": {
    source: "I7 build 6",
    behavior: "a write whose connection closed before its answer is the same when it comes again",
  },
  "resend.checked": {
    source: "I7 build 6",
    behavior: "whoever sends a write again passes every check anew but the human's yes",
  },
  "resend.own": {
    source: "I7 build 6",
    behavior:
      "a key is one session's, for one tool and one set of arguments; no other gets anything",
  },
  "resend.unknown": {
    source: "I7 build 6",
    behavior: "where nobody knows what became of the first, that is the answer, and nothing runs",
  },
  "resend.nothing-ran": {
    source: "I7 build 6",
    behavior:
      "a write that was refused before anything ran is not kept, and runs when it comes again",
  },
  "resend.restart": {
    source: "I7 build 6",
    behavior: "after a restart or a kill, a write that comes again is not run a second time",
  },
  "resend.bounded": {
    source: "I7 build 6",
    behavior:
      "answers are sealed, short-lived and bounded; where there is no room, a key is refused",
  },
  "resend.recorded": {
    source: "I7 build 6",
    behavior: "what is answered again is on record as a call of its own that names the first",
  },
  "resend.downstream": {
    source: "I7 build 6",
    behavior: "each write has an idempotency key at an API that takes one, and reads have none",
  },
} satisfies Record<string, Requirement>;
