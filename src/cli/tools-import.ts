// `tools import openapi`: few good tools out of an API's document, as drafts that a human edits and
// approves. Nothing is chosen by default, and no file of a human's is written over.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { TOOL_BYTES_WARN } from "../catalog/openapi/draft.ts";
import type { Draft } from "../catalog/openapi/draft.ts";
import type { ApiDocument } from "../catalog/openapi/document.ts";
import { folderIn, presentConnector, presentTools, writeNew } from "../catalog/openapi/folder.ts";
import type { Written } from "../catalog/openapi/folder.ts";
import type { Listed } from "../catalog/openapi/listing.ts";
import {
  configSnippet,
  operationsOf,
  propose,
  proposeConnector,
} from "../catalog/openapi/propose.ts";
import type { Refused } from "../catalog/openapi/propose.ts";
import { NotImportable } from "../catalog/openapi/reason.ts";
import { pinOf } from "../catalog/openapi/pin.ts";
import { withDocument } from "../catalog/openapi/source.ts";
import { draftText } from "../catalog/openapi/yaml.ts";
import { toConnector } from "../catalog/load.ts";
import { connectorFileSchema } from "../catalog/tool-file.ts";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/load.ts";
import { own } from "../kernel/own.ts";
import { EXIT, note, print, printJson, Stop, table } from "./output.ts";
import { chosenFrom, namedAmong, tagsOf } from "./tools-import-pick.ts";
import { usageError, wordsOf } from "./verb.ts";
import type { Given, Verb } from "./verb.ts";

/** How a connector may be called. */
export const CONNECTOR = /^[a-z][a-z0-9_-]{0,47}$/;
const PROGRESS_BYTES = 4_194_304;

export const toolsImportOpenapi: Verb = {
  name: "tools import openapi",
  usage: "tools import openapi FILE_OR_URL --connector NAME [--operation 'GET /x' …] [--tools DIR]",
  summary: "drafts of tools out of a Swagger 2 or OpenAPI 3 document",
  help: [
    "FILE_OR_URL     JSON or YAML; what it refers to lies beside it. Fetched without credentials",
    "--connector C   the folder of the drafts, and the connector that will reach the API",
    "--operation O   'METHOD /path' or an operationId; several times. without it, you pick",
    "--tools DIR     the catalogue's folder (default: the configuration's, or ./tools)",
    "--config FILE   the configuration (default: ./mcp.config.json, where there is one)",
    "--allow-private-addresses   a name may lead to a private network, too",
  ],
  options: {
    connector: { type: "string" },
    operation: { type: "string", multiple: true },
    tools: { type: "string" },
    config: { type: "string" },
    "allow-private-addresses": { type: "boolean" },
  },
  async run(given) {
    const [where = ""] = wordsOf(toolsImportOpenapi, given, "FILE_OR_URL");
    const name = connectorNamed(toolsImportOpenapi, given);
    const place = placeIn(given);
    const options = {
      allow_private: given.flag("allow-private-addresses"),
      progress: progressOn(where),
    };
    try {
      return await withDocument(where, options, (document) => {
        return imported({ given, document, where, name, ...place });
      });
    } catch (error) {
      if (!(error instanceof NotImportable)) throw error;
      const code = error.reason === "document_unreachable" ? EXIT.unreachable : EXIT.usage;
      throw new Stop(code, `${where}: ${error.message} (${error.reason})`);
    }
  },
};

export function connectorNamed(verb: Verb, given: Given): string {
  const name = given.text("connector") ?? "";
  if (CONNECTOR.test(name)) return name;
  const form = "lower-case letters, digits, _ and -, at most 48";
  throw usageError(verb, `--connector is missing, or is not ${form}`);
}

export interface Place {
  /** The catalogue's folder. */
  readonly folder: string;
  readonly config: Config | undefined;
}

export function placeIn(given: Given): Place {
  const here = resolve("mcp.config.json");
  const file = given.text("config") ?? (existsSync(here) ? here : undefined);
  const named = given.text("tools");
  // A configuration that is still being written stands in nobody's way who names a folder.
  if (file === undefined || (named !== undefined && given.text("config") === undefined)) {
    return { folder: resolve(named ?? "tools"), config: undefined };
  }
  const config = loadConfig(file, process.env, { secrets: false });
  const folder = named === undefined ? config.tools_dir : resolve(named);
  return { folder, config };
}

// Said once for each few megabytes, on a terminal and in a log alike.
function progressOn(where: string): (bytes: number) => void {
  let [total, said] = [0, 0];
  return (bytes) => {
    total += bytes;
    if (total - said < PROGRESS_BYTES) return;
    said = total;
    note(`${where}: ${(total / 2 ** 20).toFixed(0)} MiB read`);
  };
}

/** What is known of a document that was read out of a service's code. */
interface FromCode {
  /** Operation -> what its file must say besides. */
  readonly notes: ReadonlyMap<string, readonly string[]>;
  readonly unread: readonly object[];
  /** Whether the document lies somewhere, so that a contract can be held against it. */
  readonly isKept: boolean;
}

export interface Import extends Place {
  readonly code?: FromCode;
  readonly given: Given;
  readonly document: ApiDocument;
  readonly where: string;
  readonly name: string;
}

interface Outcome {
  readonly draft: Draft;
  readonly file: string;
  readonly written: Written;
  /** Why its contract was not pinned. */
  readonly contract: string | undefined;
}

export async function imported(job: Import): Promise<number> {
  const { document, name, folder, where } = job;
  const listed = await operationsOf(document);
  const chosen = await choose(job.given, "operation", where, listed);
  if (chosen === undefined) return EXIT.usage;
  const proposed = proposeConnector(document, name, chosen);
  const there = presentConnector(folder, name);
  const connector = there ?? toConnector(name, connectorFileSchema.parse(proposed));
  const present = presentTools(folder, name);
  note(`${chosen.length} of ${listed.length} operations`);
  const proposal = await propose(document, chosen, connector, present);
  const { refused } = proposal;
  const drafts = proposal.drafts.map((one) => ({
    ...one,
    left_out: [...one.left_out, ...(job.code?.notes.get(one.operation) ?? [])],
  }));
  const about = [
    `Proposed by doorless from ${printable(where)}. It is a draft: no session has it.`,
  ];
  const outcomes = drafts.map((draft): Outcome => {
    const beside = folderIn(folder, name);
    const file = join(beside, `${draft.file.name}.tool.yaml`);
    const left = draft.left_out.map((one) => `Left out: ${printable(one)}`);
    const text = draftText(draft.file, [...about, ...left]);
    const written = writeNew(file, text, draft.file);
    const isNew = written.state === "written";
    // What a human made of it relies on other fields: `contracts update` knows which.
    const contract = written.state === "differs" ? undefined : pinned(job, draft, beside, isNew);
    return { draft, file, written, contract };
  });
  if (drafts.length > 0 && there === undefined) {
    const file = join(folderIn(folder, name), "connector.yaml");
    writeNew(
      file,
      draftText(proposed, [`Proposed by doorless from ${printable(where)}.`]),
      proposed,
    );
  }
  report(job, outcomes, refused);
  return outcomes.length === 0 ? EXIT.no : EXIT.ok;
}

function pinned(job: Import, draft: Draft, beside: string, isNew: boolean) {
  const { document, folder, code } = job;
  if (code?.isKept === false) return "the code has no document; --document FILE keeps one";
  const slice = pinOf(document, draft, folder, new Date());
  if ("failure" in slice) return slice.failure;
  const file = join(folderIn(beside, "contract"), `${draft.file.name}.json`);
  const { state } = writeNew(file, `${JSON.stringify(slice, null, 2)}\n`, {});
  return state === "written" || !isNew ? undefined : "there is one of this name already";
}

// What others wrote stays one line of a comment.
export function printable(text: string): string {
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, "?").slice(0, 200);
}

/** What the person names with `--WHAT`, or picks; nothing where nobody chose anything. */
export async function choose(
  given: Given,
  what: "operation" | "tool",
  where: string,
  listed: readonly Listed[],
): Promise<readonly Listed[] | undefined> {
  const named = given.list(what);
  if (named.length > 0) {
    const { found, unknown } = namedAmong(listed, named);
    if (unknown.length === 0) return found;
    const lines = unknown.map(({ asked, near }) => {
      const mean = near.length === 0 ? "" : `; there is ${near.join(", ")}`;
      return `${where} has no ${what} ${JSON.stringify(asked)}${mean}`;
    });
    throw new Stop(EXIT.usage, lines.join("\n"));
  }
  if (process.stdin.isTTY && process.stderr.isTTY && !given.flag("json")) {
    return chosenFrom(listed, process.stdin, process.stderr);
  }
  if (given.flag("json")) {
    for (const { key, tag, summary, deprecated } of listed) {
      printJson(
        what === "tool" ? { tool: key, summary } : { operation: key, tag, summary, deprecated },
      );
    }
  } else if (what === "tool") {
    print(
      table(
        ["tool", "what it says"],
        listed.map(({ key, summary }) => [printable(key), summary]),
      ),
    );
  } else print(table(["tag", "operations"], tagsOf(listed)));
  const how = what === "tool" ? "--tool NAME" : "--operation 'METHOD /path'";
  note(`nothing is chosen by default: name what you want with ${how}`);
  return undefined;
}

function report(
  { given, document, name, config, code }: Import,
  all: readonly Outcome[],
  refused: readonly Refused[],
): void {
  const snippet =
    own(config?.connectors ?? {}, name) !== undefined ? undefined : configSnippet(document, name);
  if (given.flag("json")) {
    printJson({
      connector: name,
      drafts: all.map(({ draft, file, written, contract }) => ({
        name: draft.file.name,
        operation: draft.operation,
        file,
        ...written,
        bytes: draft.bytes,
        left_out: draft.left_out,
        ...(contract === undefined ? {} : { contract }),
      })),
      refused,
      ...(code === undefined ? {} : { unread: code.unread }),
      ...(snippet === undefined ? {} : { connectors: snippet }),
    });
    return;
  }
  if (all.length > 0) {
    const rows = all.map(({ draft, written }) => [
      draft.file.name,
      written.state,
      draft.operation,
      `≈ ${Math.ceil(draft.bytes / 4)}`,
    ]);
    print(table(["tool", "file", "operation", "tokens"], rows));
  }
  for (const outcome of all) remarks(outcome);
  for (const { operation, reason, message } of refused) note(`${operation}: ${reason}: ${message}`);
  if (all.length > 0) {
    note(`\nRead each draft, mend it, and approve it. A draft is in nobody's list of tools.`);
    if (snippet !== undefined) {
      note(
        `mcp.config.json has no connector ${name} yet; under "connectors" it needs something like`,
      );
      note(JSON.stringify(snippet, null, 2).split("\n").slice(1, -1).join("\n"));
    }
  }
}

function remarks({ draft, file, written, contract }: Outcome): void {
  const { bytes, left_out } = draft;
  const { name } = draft.file;
  for (const one of left_out) note(`${name}: ${one}`);
  if (contract !== undefined) note(`${name}: its contract is not pinned: ${contract}`);
  if (bytes > TOOL_BYTES_WARN) {
    note(`${name}: ${bytes} bytes in every list of tools: leave out what no agent needs`);
  }
  if (written.state !== "differs") return;
  note(`${file} is there and stays as it is; it differs:`);
  for (const one of written.differences) note(`  ${one}`);
}
