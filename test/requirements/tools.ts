// Promises about where tools come from, and what of them runs.
import type { Requirement } from "./requirement.ts";

export const tools = {
  "tools.lint": {
    source: "I7 build 3",
    behavior: "what a description hides is found, and what in it reads like an order to the model",
  },
  "tools.lock": {
    source: "I7 build 3",
    behavior: "a tool that is not as a human approved it is not there, and its start says so",
  },
  "tools.approve": {
    source: "I7 build 3",
    behavior: "who approves is shown all that a model will read, and what of it is different",
  },
  "tools.verify": {
    source: "I7 build 3",
    behavior: "tools verify exits 1 where a tool is not as approved, and says which and how",
  },
} satisfies Record<string, Requirement>;
