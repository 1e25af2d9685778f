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
} satisfies Record<string, Requirement>;
