// The command: a verb, its help, or what to type instead.
import { EXIT, note, print } from "./output.ts";
import { helpOf, parseGiven } from "./verb.ts";
import type { Verb } from "./verb.ts";
import { verbOf, verbsUnder } from "./verbs.ts";

async function main(typed: readonly string[]): Promise<number> {
  const args = asVerb(typed);
  const verb = await verbOf(args);
  if (verb === undefined) return withoutVerb(args);
  const given = parseGiven(verb, args.slice(verb.name.split(" ").length));
  if (!given.flag("help")) return verb.run(given);
  const under = await verbsUnder(verb.name);
  print(under.length === 0 ? helpOf(verb) : `${helpOf(verb)}\n\n${listOf(under)}`);
  return EXIT.ok;
}

// As other programs have it: `--version`, and `help VERB`.
function asVerb(typed: readonly string[]): readonly string[] {
  const [first, ...rest] = typed;
  if (first === "--version" || first === "-v") return ["version", ...rest];
  return first === "help" ? [...rest, "--help"] : typed;
}

// Of one group of verbs where there is one: `audit`, `lock --help`.
async function withoutVerb(args: readonly string[]): Promise<number> {
  const [first = ""] = args;
  const group = await verbsUnder(first);
  const [verbs, words, rest] =
    group.length === 0
      ? [await verbsUnder(), "VERB", args]
      : [group, `${first} VERB`, args.slice(1)];
  const overview = `usage: doorless ${words} [--help]\n\n${listOf(verbs)}`;
  const [next] = rest;
  const isAsked = next === "--help" || next === "-h";
  if (isAsked || next === undefined) print(overview);
  else {
    const typed = args.filter((word) => word !== "--help").slice(0, 2);
    note(`there is no verb ${JSON.stringify(typed.join(" "))}\n\n${overview}`);
  }
  return isAsked ? EXIT.ok : EXIT.usage;
}

function listOf(verbs: readonly Verb[]): string {
  const width = Math.max(...verbs.map(({ name }) => name.length));
  return verbs.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`).join("\n");
}

// A reader that has seen enough (`| head`) is not an error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? EXIT.ok : EXIT.no);
});

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const { explainFailure } = await import("./failure.ts");
  const { code, message } = explainFailure(error);
  note(message);
  process.exitCode = code;
}
