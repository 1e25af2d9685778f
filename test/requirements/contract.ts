// Promises about an API's contract: sliced, compared, watched.
import type { Requirement } from "./requirement.ts";

export const contract = {
  "contract.slice": {
    source: "I7 build 4",
    behavior: "a slice holds one operation and what it reaches, or is refused with a named reason",
  },
  "contract.rules": {
    source: "I7 build 4",
    behavior: "a change that a tool's caller could notice is a finding with a rule and a severity",
  },
  "contract.equivalent": {
    source: "I7 build 4",
    behavior: "what is only written differently has the same hashes and no finding",
  },
  "contract.use": {
    source: "I7 build 4",
    behavior: "drift is judged on what the tool sends and takes out of the answer",
  },
  "contract.accept": {
    source: "I7 build 4",
    behavior: "an acceptance names one change, and covers none with other values",
  },
  "contract.live": {
    source: "I7 build 4",
    behavior: "a changed API stops the tools it breaks, and no other, until it is as approved",
  },
  "contract.verbs": {
    source: "I7 build 4; INTERFACE",
    behavior: "contracts check judges, update pins and approves nothing, accept covers one change",
  },
  "contract.announced": {
    source: "I7 build 4",
    behavior:
      "what Deprecation and Sunset announce is told once, and an end that passed stops the tool",
  },
  "contract.answers": {
    source: "I7 build 4",
    behavior: "answers that do not fit, call after call, stop their tool until somebody has looked",
  },
  "contract.pages": {
    source: "I7 build 7",
    behavior: "an agent gets all pages of a list, or an error that says how to ask for less",
  },
  "contract.pages-hostile": {
    source: "I7 build 7",
    behavior: "an API that leads in circles, elsewhere, or nowhere ends the call with an error",
  },
  "contract.pages-drift": {
    source: "I7 build 4, 7",
    behavior: "a change of what leads to the next page is a finding that stops the tool",
  },
} satisfies Record<string, Requirement>;
