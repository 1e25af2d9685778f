// Promises about where tools come from, and what of them runs.
import type { Requirement } from "./requirement.ts";

export const tools = {
  "tools.lint": {
    source: "I7 build 3",
    behavior: "what a description hides is found, and what in it reads like an order to the model",
  },
} satisfies Record<string, Requirement>;
