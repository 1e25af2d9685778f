// `schema`: the JSON Schema of mcp.config.json, for editors.
import { configJsonSchema } from "../config/schema.ts";
import { EXIT, print } from "./output.ts";
import { wordsOf } from "./verb.ts";
import type { Verb } from "./verb.ts";

export const schema: Verb = {
  name: "schema",
  usage: "schema",
  summary: "the JSON Schema of mcp.config.json",
  json: "nothing else: it prints JSON as it is",
  async run(given) {
    wordsOf(schema, given);
    print(JSON.stringify(configJsonSchema(), null, 2));
    return EXIT.ok;
  },
};
