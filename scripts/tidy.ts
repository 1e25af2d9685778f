// The house style that no linter knows: sizes, names, and what must never be in a repository.
// `node scripts/tidy.ts [ROOT]`. Limits are for all; there is no list of exceptions to grow.
import { readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { isCode, isNode, listFiles, printFindings, readSource, walk } from "./source.ts";
import type { AstNode, Finding, Source } from "./source.ts";

const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;
const LINE_COLUMNS_MAX = 100;
const FILE_BYTES_MAX = 512 * 1024;

/** DESIGN section 2, "Banned as names". They name nothing that a reader could look for. */
const BANNED_WORDS = /^(helpers?|managers?|utils?|utilit(y|ies)|misc|common|fallbacks?)$/;
/** The demo's SaaS has people who are managers: there it is a noun of the domain. */
const BANNED_IN_DEMO = /^(helpers?|utils?|utilit(y|ies)|misc|common|fallbacks?)$/;
const BANNED_PHRASE = /service[ _-]?accounts?/i;

/** Where somebody's machine shows through. The look-behind leaves URLs and longer paths alone. */
const MACHINE_PATH = /(?<![\w.~}$/-])(?:file:\/\/)?\/(?:work|root|home)\//;
const REGISTRY_HOST =
  /registry\.(?:npmjs|yarnpkg|npmmirror)\.|npm\.pkg\.github\.|"resolved": "http/;
/** The patterns above would find themselves. */
const SPEAKS_OF_PATTERNS = ["scripts/tidy.ts", "test/unit/scripts/tidy.test.ts"];

const FUNCTIONS = new Set(["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"]);

export function tidy(root: string): Finding[] {
  const findings: Finding[] = [];
  for (const file of listFiles(root)) {
    findings.push(...nameOfFile(file), ...sizeOfFile(root, file));
    if (isText(file) && !SPEAKS_OF_PATTERNS.includes(file)) findings.push(...leaks(root, file));
    if (isCode(file)) findings.push(...code(readSource(root, file)));
  }
  return findings;
}

function nameOfFile(file: string): Finding[] {
  const banned = file
    .split("/")
    .flatMap((part) => bannedIn(part, file))
    .at(0);
  if (banned === undefined) return [];
  const mend = "Name the file after what it does or holds.";
  return [{ file, line: 1, what: `is named ${banned}`, rule: "banned-name", mend }];
}

function sizeOfFile(root: string, file: string): Finding[] {
  const bytes = statSync(join(root, file)).size;
  if (bytes <= FILE_BYTES_MAX || file === "package-lock.json") return [];
  const what = `has ${bytes} bytes, more than ${FILE_BYTES_MAX}`;
  const mend = "Data that is not ours stays out of the repository (DESIGN section 7).";
  return [{ file, line: 1, what, rule: "file-bytes", mend }];
}

function leaks(root: string, file: string): Finding[] {
  const findings: Finding[] = [];
  const lines = readFileSync(join(root, file), "utf8").split("\n");
  for (const [index, text] of lines.entries()) {
    const at = { file, line: index + 1 };
    if (MACHINE_PATH.test(text)) {
      const mend = "Derive the path, or write it relative to the repository.";
      findings.push({ ...at, what: "names a path of one machine", rule: "machine-path", mend });
    }
    if (REGISTRY_HOST.test(text)) {
      const mend = "Whoever installs chooses the registry; .npmrc keeps it out of the lockfile.";
      findings.push({ ...at, what: "names a package registry", rule: "registry-host", mend });
    }
  }
  return findings;
}

function code(source: Source): Finding[] {
  const { file, text } = source;
  const findings: Finding[] = [...longLines(source), ...functionsAndNames(source)];
  const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
  if (lines > FILE_LINES_MAX) {
    const what = `has ${lines} lines, more than ${FILE_LINES_MAX}`;
    findings.push({ file, line: 1, what, rule: "file-lines", mend: "Split it by noun or verb." });
  }
  if (!file.startsWith("src/")) return findings;
  if (!/^\s*(\/\/|\/\*)/.test(text)) {
    const mend = "Begin with a comment: which part of the design does this file own?";
    findings.push({ file, line: 1, what: "begins without a comment", rule: "header", mend });
  }
  const phrase = BANNED_PHRASE.exec(text);
  if (phrase !== null) {
    const mend = "There is no such thing here (DESIGN section 1): say what the token lacks.";
    const line = source.lineAt(phrase.index);
    findings.push({ file, line, what: `says "${phrase[0]}"`, rule: "banned-name", mend });
  }
  return findings;
}

function longLines({ file, text }: Source): Finding[] {
  return text.split("\n").flatMap((content, index) => {
    // A link is not broken to fit.
    if (content.length <= LINE_COLUMNS_MAX || content.includes("://")) return [];
    const what = `has ${content.length} columns, more than ${LINE_COLUMNS_MAX}`;
    const mend = "Break the comment or the string; oxfmt leaves both alone.";
    return [{ file, line: index + 1, what, rule: "line-columns", mend }];
  });
}

function functionsAndNames(source: Source): Finding[] {
  const { file } = source;
  const findings: Finding[] = [];
  walk(source.parsed.program, (node, parent) => {
    const line = source.lineAt(node.start);
    const length = source.lineAt(node.end) - line + 1;
    if (FUNCTIONS.has(node.type) && length > FUNCTION_LINES_MAX && !isDescribe(file, parent)) {
      const what = `has a function of ${length} lines, more than ${FUNCTION_LINES_MAX}`;
      const mend = "Push the ifs up and the leaves out into functions of their own.";
      findings.push({ file, line, what, rule: "function-lines", mend });
    }
    for (const name of declaredNames(node)) {
      for (const word of bannedIn(name, file)) {
        const mend = `Name it after what it does: "${word}" says nothing (DESIGN section 2).`;
        findings.push({ file, line, what: `declares ${name}`, rule: "banned-name", mend });
      }
    }
  });
  return findings;
}

/** A describe block is a list of tests; each test is measured by itself. */
function isDescribe(file: string, parent: AstNode | undefined): boolean {
  if (!file.startsWith("test/") || parent?.type !== "CallExpression") return false;
  let callee = parent["callee"];
  while (isNode(callee) && callee.type !== "Identifier")
    callee = callee["object"] ?? callee["callee"];
  return isNode(callee) && callee["name"] === "describe";
}

/** The names that a node brings into the world. Keys of object literals are data, not names. */
function declaredNames(node: AstNode): string[] {
  switch (node.type) {
    case "VariableDeclarator":
      return boundNames(node["id"]);
    case "FunctionDeclaration":
    case "FunctionExpression":
    case "ArrowFunctionExpression":
      return [...boundNames(node["id"]), ...parameters(node["params"])];
    case "ClassDeclaration":
    case "TSTypeAliasDeclaration":
    case "TSInterfaceDeclaration":
      return boundNames(node["id"]);
    case "MethodDefinition":
    case "PropertyDefinition":
    case "TSPropertySignature":
    case "TSMethodSignature":
      return node["computed"] === true ? [] : boundNames(node["key"]);
    default:
      return [];
  }
}

function parameters(list: unknown): string[] {
  return Array.isArray(list) ? list.flatMap(boundNames) : [];
}

function boundNames(pattern: unknown): string[] {
  if (!isNode(pattern)) return [];
  switch (pattern.type) {
    case "Identifier":
    case "PrivateIdentifier":
      return typeof pattern["name"] === "string" ? [pattern["name"]] : [];
    case "AssignmentPattern":
      return boundNames(pattern["left"]);
    case "RestElement":
      return boundNames(pattern["argument"]);
    case "ArrayPattern":
      return parameters(pattern["elements"]);
    case "ObjectPattern":
      return parameters(pattern["properties"]);
    case "Property":
      return boundNames(pattern["value"]);
    default:
      return [];
  }
}

function bannedIn(name: string, file: string): string[] {
  const banned = file.startsWith("demo/") ? BANNED_IN_DEMO : BANNED_WORDS;
  const words = name.split(/[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/);
  const hits = words.filter((word) => banned.test(word.toLowerCase()));
  const phrase = BANNED_PHRASE.test(words.join(" "));
  return phrase ? [...hits, "service account"] : hits;
}

function isText(file: string): boolean {
  return !/\.(png|jpg|ico|gz|woff2|wasm|sqlite)$/.test(file);
}

if (import.meta.main) {
  const findings = tidy(resolve(process.argv[2] ?? "."));
  printFindings(findings);
  if (findings.length > 0) process.exitCode = 1;
}
