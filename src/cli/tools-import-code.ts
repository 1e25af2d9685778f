// `tools import code`: the routes of a service out of its source, listed, or as drafts. What could
// not be read is said: file, line and reason.
import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { MARK } from "../catalog/code/describe.ts";
import type { Placement } from "../catalog/code/describe.ts";
import { loadParser, ParserMissing } from "../catalog/code/parser.ts";
import type { Parse } from "../catalog/code/parser.ts";
import { readCode } from "../catalog/code/read.ts";
import type { CodeRead } from "../catalog/code/read.ts";
import { ApiDocument } from "../catalog/openapi/document.ts";
import type { Listed } from "../catalog/openapi/listing.ts";
import { operationsOf } from "../catalog/openapi/propose.ts";
import { isJson, listAt, objectAt, textAt } from "../catalog/openapi/read.ts";
import type { Json } from "../catalog/openapi/read.ts";
import { replaceFile } from "../store/replace-file.ts";
import { EXIT, note, print, printJson, Stop, table } from "./output.ts";
import { CONNECTOR, imported, placeIn } from "./tools-import.ts";
import { usageError, wordsOf } from "./verb.ts";
import type { Given, Verb } from "./verb.ts";

const PROGRESS_FILES = 500;
const NAMES_MAX = 8;
const PARSER = "oxc-parser";

export const toolsImportCode: Verb = {
  name: "tools import code",
  usage: "tools import code DIR [--connector NAME [--operation 'GET /x' …]] [--tools DIR]",
  summary:
    "the routes of an Express, Fastify or Hono service, out of its source; or drafts of tools",
  help: [
    "DIR             the service's source; it is read, and never run",
    "--connector C   write drafts into this folder; without it, the routes are listed",
    "--operation O   'METHOD /path'; several times. without it, you pick",
    "--document F    keep what was read as an OpenAPI document, for `contracts check`",
    "--tools DIR     the catalogue's folder (default: the configuration's, or ./tools)",
    "--config FILE   the configuration (default: ./mcp.config.json, where there is one)",
  ],
  json: "one JSON object a line: routes, then what could not be read; with --connector one object",
  options: {
    connector: { type: "string" },
    operation: { type: "string", multiple: true },
    document: { type: "string" },
    tools: { type: "string" },
    config: { type: "string" },
  },
  async run(given) {
    const [where = ""] = wordsOf(toolsImportCode, given, "DIR");
    const name = given.text("connector");
    if (name !== undefined && !CONNECTOR.test(name)) {
      const form = "lower-case letters, digits, _ and -, at most 48";
      throw usageError(toolsImportCode, `--connector is not ${form}`);
    }
    if (name === undefined && given.list("operation").length > 0) {
      throw usageError(toolsImportCode, "--operation needs --connector");
    }
    const parse = await parser();
    const root = folderAt(where);
    const read = readCode(root, { parse, progress: progressOn(where) });
    const document = documentOf(root, read, given.text("document"));
    const listed = await operationsOf(document);
    sayUnread(given, read, listed.length);
    if (name === undefined) return list(given, listed, read);
    const notes = new Map([...read.places].map(([key, one]) => [key, remarks(one)]));
    const isKept = given.text("document") !== undefined;
    const code = { notes, unread: read.unread, isKept };
    return imported({ given, document, where, name, code, ...placeIn(given) });
  },
};

async function parser(): Promise<Parse> {
  try {
    return await loadParser();
  } catch (error) {
    if (!(error instanceof ParserMissing)) throw error;
    const mend = `npm install ${PARSER}    (beside doorless; with -g where doorless is global)`;
    throw new Stop(
      EXIT.usage,
      `reading code needs a parser that doorless does not bring:\n  ${mend}`,
    );
  }
}

// As a draft's head has them, under "Left out".
function remarks({ notes, unread }: Placement): readonly string[] {
  return [...notes, ...unread].map((words) => `nothing, but ${words}`);
}

function folderAt(where: string): string {
  const found = existsSync(where) ? realpathSync(where) : undefined;
  if (found === undefined) throw new Stop(EXIT.usage, `${where}: there is no such folder`);
  if (!statSync(found).isDirectory()) throw new Stop(EXIT.usage, `${where}: is no folder`);
  return found;
}

function progressOn(where: string): (what: "found" | "read", files: number) => void {
  const said = { found: 0, read: 0 };
  return (what, files) => {
    if (files - said[what] < PROGRESS_FILES) return;
    said[what] = files;
    note(`${where}: ${files} files ${what}`);
  };
}

function documentOf(root: string, { document }: CodeRead, named: string | undefined): ApiDocument {
  const text = `${JSON.stringify(document, null, 2)}\n`;
  const file = named === undefined ? join(root, "routes.json") : kept(resolve(named), text);
  const nothingBeside = (): Promise<Uint8Array> => Promise.reject(new Error("it is no file"));
  return new ApiDocument(Buffer.from(text), pathToFileURL(file), nothingBeside);
}

// Written again where it is doorless's own, and nowhere else.
function kept(file: string, text: string): string {
  if (existsSync(file) && !isOwn(file)) {
    throw new Stop(EXIT.usage, `--document ${file}: is there, and was not written by this verb`);
  }
  replaceFile(file, text, 0o644);
  return realpathSync(file);
}

function isOwn(file: string): boolean {
  try {
    const tree: unknown = JSON.parse(readFileSync(file, "utf8"));
    return isJson(tree) && Object.hasOwn(tree, MARK);
  } catch {
    return false;
  }
}

function sayUnread(given: Given, { unread, left_out, files }: CodeRead, routes: number): void {
  if (given.flag("json")) return;
  for (const { file, line, reason, message } of unread) {
    note(`${file}:${line}: ${reason}: ${message}`);
  }
  if (left_out.length > 0) note(`not looked at: ${shortened(left_out)}`);
  note(`${routes} operations in ${files} files; ${unread.length} places were not read`);
}

function shortened(names: readonly string[]): string {
  const more = names.length - NAMES_MAX;
  return `${names.slice(0, NAMES_MAX).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function list(given: Given, listed: readonly Listed[], { places, unread }: CodeRead): number {
  if (given.flag("json")) {
    for (const { key, tag, summary, deprecated, node } of listed) {
      printJson({
        operation: key,
        tag,
        summary,
        deprecated,
        ...places.get(key),
        ...shapesOf(node),
      });
    }
    for (const { reason, ...one } of unread) printJson({ unread: reason, ...one });
  } else if (listed.length > 0) {
    const rows = listed.map(({ key, node }) => {
      const place = places.get(key);
      return [key, `${place?.file ?? ""}:${place?.line ?? 0}`, takes(node)];
    });
    print(table(["operation", "where", "takes"], rows));
  }
  if (!given.flag("json")) sayNotes(places);
  return listed.length === 0 ? EXIT.no : EXIT.ok;
}

// What is true of many is said once.
function sayNotes(places: CodeRead["places"]): void {
  const notes = Map.groupBy(
    [...places].flatMap(([key, one]) => one.notes.map((words) => ({ key, words }))),
    ({ words }) => words,
  );
  for (const [words, of] of notes) note(`${shortened(of.map(({ key }) => key))}: ${words}`);
}

function shapesOf(node: Json): Record<string, unknown> {
  const body = bodyOf(node);
  const responses = objectAt(node, "responses") ?? {};
  return {
    parameters: listAt(node, "parameters"),
    ...(body === undefined ? {} : { body }),
    answers: responses,
  };
}

function bodyOf(node: Json): Json | undefined {
  const content = objectAt(objectAt(node, "requestBody") ?? {}, "content") ?? {};
  const [media] = Object.values(content);
  return isJson(media) ? objectAt(media, "schema") : undefined;
}

// `id, q?, {amount, reason}`: what is optional has a mark, and the body braces.
function takes(node: Json): string {
  const named = listAt(node, "parameters").flatMap((one) => {
    if (!isJson(one)) return [];
    return `${textAt(one, "name") ?? ""}${one["required"] === true ? "" : "?"}`;
  });
  const body = bodyOf(node);
  const fields = Object.keys(objectAt(body ?? {}, "properties") ?? {});
  const whole = fields.length === 0 ? "body" : `{${fields.join(", ")}}`;
  return [...named, ...(body === undefined ? [] : [whole])].join(", ");
}
