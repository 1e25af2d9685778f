// `surface`: the tools that a session would have, and nothing else.
import { personNamed, personWithClaims } from "../console/people.ts";
import { askSurface } from "../console/questions.ts";
import { askHouse, CORE_HELP, CORE_OPTIONS, placeOf } from "./core.ts";
import { EXIT, note, print, printJson, table } from "./output.ts";
import { jsonOf, usageError, wordsOf } from "./verb.ts";
import type { Given, Verb } from "./verb.ts";

export const WHO_OPTIONS = { as: { type: "string" }, claims: { type: "string" } } as const;
export const WHO_HELP = [
  "--as PERSON     a person listed in the configuration",
  "--claims JSON   the claims of an access token",
];

/** Whom --as or --claims means, as a question and as an offline answer. */
export function whoOf(verb: Verb, given: Given) {
  const as = given.text("as");
  const text = given.text("claims");
  if ((as === undefined) === (text === undefined)) {
    throw usageError(verb, "give either --as PERSON or --claims JSON");
  }
  if (as !== undefined) return { who: { as }, find: personNamed, given: as };
  const claims = jsonOf(verb, "--claims is", text ?? "");
  return { who: { claims }, find: personWithClaims, given: claims };
}

export const surface: Verb = {
  name: "surface",
  usage: "surface AGENT --as PERSON | --claims JSON",
  summary: "the tools that session would have, and nothing else",
  help: [...WHO_HELP, ...CORE_HELP],
  options: { ...CORE_OPTIONS, ...WHO_OPTIONS },
  async run(given) {
    const [agent = ""] = wordsOf(surface, given, "AGENT");
    const { who, find, given: named } = whoOf(surface, given);
    const answer = await askHouse(placeOf(given), "/surface", { agent, who }, (house) =>
      askSurface(house, agent, find(house.config, named as never)),
    );
    if (given.flag("json")) printJson(answer);
    else if (answer.tools.length === 0) note(`${answer.person} has no tools at ${agent}`);
    else {
      const rows = answer.tools.map((tool) => [tool.name, kind(tool.annotations), tool.title]);
      print(table(["TOOL", "EFFECT", "TITLE"], rows));
    }
    return EXIT.ok;
  },
};

function kind(annotations: Readonly<Record<string, unknown>>): string {
  if (annotations["readOnlyHint"] === true) return "read";
  return annotations["destructiveHint"] === true ? "destroy" : "write";
}
