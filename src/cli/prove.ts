import type { Verb } from "./verb.ts";
export const prove: Verb = { name: "prove", usage: "prove", summary: "x", run: async () => 0 };
