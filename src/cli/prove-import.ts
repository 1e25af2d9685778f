// The promise about imports: the tools that run ask for what the API's own document says, and a
// document that was made to harm reads nothing and stops where it is.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadParser, ParserMissing } from "../catalog/code/parser.ts";
import { readCode } from "../catalog/code/read.ts";
import type { Connector, DeclarativeTool } from "../catalog/definition.ts";
import { pagedBy } from "../catalog/pagination.ts";
import { operationsOf, propose } from "../catalog/openapi/propose.ts";
import type { Proposal } from "../catalog/openapi/propose.ts";
import { NotImportable } from "../catalog/openapi/reason.ts";
import { withDocument } from "../catalog/openapi/source.ts";
import { loadCatalog } from "../catalog/load.ts";
import { must } from "./prove-stage.ts";
import type { Stage } from "./prove-stage.ts";

export const CONNECTOR: Connector = {
  name: "api",
  title: "API",
  request_id_header: "X-Request-Id",
  idempotency_header: "Idempotency-Key",
  headers: {},
};

export async function importedAsWritten({ demo, config }: Stage): Promise<string> {
  const { drafts, refused } = await everything(`${demo.ready.api}/openapi.json`);
  must(refused.length === 0, `refused ${refused.map(({ operation }) => operation).join(", ")}`);
  const asked = new Map(drafts.map(({ operation, file }) => [operation, askedBy(file)]));
  let compared = 0;
  for (const tool of loadCatalog(config.tools_dir, { drafts: true }).tools.values()) {
    if (tool.kind !== "declarative") continue;
    const own = placesIn(Object.fromEntries(tool.inputs), pagedBy(tool));
    const theirs = asked.get(`${tool.method} ${tool.path}`);
    must(own === theirs, `${tool.name} asks with ${own}, the document says ${theirs ?? "nothing"}`);
    compared++;
  }
  const stopped = await Promise.all(HOSTILE.map(reasonAgainst));
  const ended = stopped.join(", ");
  return `${drafts.length} drafts; ${compared} tools ask for the same; hostile ones: ${ended}`;
}

/** The SaaS's own source against the document that it serves. */
export async function readAsServed({ demo }: Stage): Promise<string> {
  try {
    const parse = await loadParser();
    const folder = fileURLToPath(new URL("../../demo/saas", import.meta.url));
    const { places, unread } = readCode(folder, { parse, progress: () => undefined });
    const options = { allow_private: false, progress: () => undefined };
    const served = await withDocument(`${demo.ready.api}/openapi.json`, options, operationsOf);
    const [read, said] = [[...places.keys()], served.map(({ key }) => key)].map((keys) =>
      keys.toSorted().join(", "),
    );
    must(read === said, `the source has ${read}, the document ${said}`);
    return `${places.size} operations in the source and in the document; ${unread.length} reasons`;
  } catch (error) {
    if (!(error instanceof ParserMissing)) throw error;
    return "nothing was read: the optional parser, oxc-parser, is not installed";
  }
}

export async function everything(where: string): Promise<Proposal> {
  const options = { allow_private: false, progress: () => undefined };
  return withDocument(where, options, async (document) => {
    const present = { names: new Map<string, undefined>(), own: new Map<string, string>() };
    return propose(document, await operationsOf(document), CONNECTOR, present);
  });
}

// Of a draft, what its broker asks with by itself belongs to it: it reads the pages.
function askedBy(file: Readonly<Record<string, unknown>>): string {
  const { fixed = {}, pagination } = file as Pick<DeclarativeTool, "pagination"> & {
    fixed?: { query?: object };
  };
  const alone = [...Object.keys(fixed.query ?? {}), ...pagedBy(pagination ? { pagination } : {})];
  return placesIn(file["input"], alone);
}

// Where each argument stands; names of arguments are their own names on the wire here.
function placesIn(input: unknown, alone: readonly string[]): string {
  return Object.entries(input as Readonly<Record<string, { readonly in: string }>>)
    .map(([name, one]) => `${one.in} ${name}`)
    .concat(alone.map((name) => `query ${name}`))
    .toSorted()
    .join(", ");
}

function asking(schema: object): string {
  const parameters = [{ name: "q", in: "query", schema }];
  return JSON.stringify({ openapi: "3.0.0", paths: { "/x": { get: { parameters } } } });
}

const HOSTILE: readonly (readonly [string, string])[] = [
  [asking({ $ref: "file:///etc/passwd" }), "reference_outside"],
  [asking({ $ref: "http://169.254.169.254/latest/meta-data" }), "reference_outside"],
  [asking({ type: "string", enum: ["pay\u202eload"] }), "hidden_characters"],
  ["openapi: '3.0.0'\nx: &a [*a]\n", "document_unreadable"],
];

async function reasonAgainst([text, reason]: (typeof HOSTILE)[number]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "doorless-prove-"));
  try {
    writeFileSync(join(folder, "openapi"), text);
    const { refused } = await everything(join(folder, "openapi"));
    must(refused[0]?.reason === reason, `instead of ${reason}: ${refused[0]?.reason ?? "a draft"}`);
  } catch (error) {
    if (!(error instanceof NotImportable)) throw error;
    must(error.reason === reason, `instead of ${reason}: ${error.reason}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return reason;
}
