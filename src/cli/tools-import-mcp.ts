// `tools import mcp`: tools of an MCP server as drafts that a human edits and approves. Nothing is
// chosen by default, and no file of a human's is written over.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { lintTools } from "../catalog/lint.ts";
import { toConnector } from "../catalog/load.ts";
import { mcpDraftOf, remarksOn } from "../catalog/upstream/draft.ts";
import type { McpDraft } from "../catalog/upstream/draft.ts";
import { folderIn, mcpKey, presentConnector } from "../catalog/openapi/folder.ts";
import { presentTools, writeNew } from "../catalog/openapi/folder.ts";
import type { Present, Written } from "../catalog/openapi/folder.ts";
import type { Listed } from "../catalog/openapi/listing.ts";
import { NotImportable } from "../catalog/openapi/reason.ts";
import { firstSentence } from "../catalog/openapi/text.ts";
import { draftText } from "../catalog/openapi/yaml.ts";
import { pinFile } from "../catalog/pin.ts";
import { connectorFileSchema } from "../catalog/tool-file.ts";
import { upstreamPinText } from "../catalog/upstream/pin.ts";
import type { Config } from "../config/load.ts";
import type { UpstreamContract, UpstreamDefinition } from "../contract/upstream.ts";
import type { UpstreamEndpoint } from "../contract/upstream.ts";
import { isLoopback } from "../kernel/address.ts";
import { own } from "../kernel/own.ts";
import { listLocal } from "./mcp-command.ts";
import { listRemote, TOKEN_VARIABLE } from "./mcp-listing.ts";
import type { Listing } from "./mcp-listing.ts";
import { EXIT, note, print, printJson, table } from "./output.ts";
import { choose, connectorNamed, placeIn, printable } from "./tools-import.ts";
import type { Place } from "./tools-import.ts";
import { usageError } from "./verb.ts";
import type { Given, Verb } from "./verb.ts";

export const toolsImportMcp: Verb = {
  name: "tools import mcp",
  usage: "tools import mcp --connector NAME [--tool NAME …] [--tools DIR] URL | -- COMMAND …",
  summary: "drafts of tools out of an MCP server, each pinned as the server describes it",
  help: [
    "URL             its streamable HTTP endpoint",
    "COMMAND …       node SCRIPT WORD …, of a package that is installed here: it is started in the",
    "                sandbox, without network, environment, or files but its own package's",
    "--connector C   the folder of the drafts, and the connector that will reach the server",
    "--tool T        as the server calls it; several times. without it, you pick",
    "--tools DIR     the catalogue's folder (default: the configuration's, or ./tools)",
    "--config FILE   the configuration (default: ./mcp.config.json, where there is one)",
    "--client-id ID  a public client, where the server's provider lets no program register",
    "--no-browser    only print where to sign in",
    "--allow-private-addresses   a name may lead to a private network, too",
    `${TOKEN_VARIABLE}   a token of yours for the server, instead of a sign-in`,
  ],
  options: {
    connector: { type: "string" },
    tool: { type: "string", multiple: true },
    tools: { type: "string" },
    config: { type: "string" },
    "client-id": { type: "string" },
    "no-browser": { type: "boolean" },
    "allow-private-addresses": { type: "boolean" },
  },
  async run(given) {
    const name = connectorNamed(toolsImportMcp, given);
    const [where, ...more] = given.words;
    if (where === undefined) throw usageError(toolsImportMcp, "URL or COMMAND is missing");
    const place = placeIn(given);
    if (more.length > 0 || !/^[a-z+-]+:\/\//i.test(where)) return importLocal(given, place, name);
    const url = urlGiven(where);
    const { config } = place;
    const callback = config && `${config.public_url}/connect/${name}/callback`;
    const listing = await listRemote(url, {
      allow_private: given.flag("allow-private-addresses"),
      client_id: given.text("client-id"),
      callback,
      no_browser: given.flag("no-browser"),
    });
    const snippet = configured(url, name, listing, place.config);
    return importTools({ given, place, name, endpoint: url.href, where, snippet, ...listing });
  },
};

function urlGiven(where: string): URL {
  if (!/^https?:/i.test(where) || !URL.canParse(where)) {
    throw usageError(toolsImportMcp, "URL is not one http or https address");
  }
  const url = new URL(where);
  if (url.username === "" && url.password === "" && !/[?#]/.test(where)) return url;
  const why = "a key in it would be everybody's";
  throw usageError(toolsImportMcp, `URL has a password, a query or a fragment in it: ${why}`);
}

async function importLocal(given: Given, place: Place, name: string): Promise<number> {
  const { command, ...listing } = await listLocal(given.words, place.config, place.folder);
  const snippet = { [name]: { mcp: { command } } };
  return importTools({ given, place, name, where: given.words.join(" "), snippet, ...listing });
}

interface Job extends Pick<Listing, "tools"> {
  readonly given: Given;
  readonly place: Place;
  readonly name: string;
  readonly endpoint: UpstreamEndpoint;
  /** As the person typed it. */
  readonly where: string;
  /** What mcp.config.json needs. */
  readonly snippet: Readonly<Record<string, unknown>>;
  readonly protection?: Listing["protection"];
}

interface Outcome {
  readonly draft: McpDraft;
  readonly file: string;
  readonly written: Written;
}

interface Refused {
  readonly tool: string;
  readonly reason: string;
  readonly message: string;
}

/** Drafts of the tools that were chosen, whatever carried the list. */
async function importTools(job: Job): Promise<number> {
  const { name, place, tools, given, where } = job;
  const chosen = await choose(given, "tool", where, tools.map(listed));
  if (chosen === undefined) return EXIT.usage;
  const keys = new Set(chosen.map(({ key }) => key));
  const title = { connector: name, title: name };
  const there = presentConnector(place.folder, name);
  const connector = there ?? toConnector(name, connectorFileSchema.parse(title));
  const present = presentTools(place.folder, name);
  note(`${keys.size} of ${tools.length} tools`);
  const refused: Refused[] = [];
  const outcomes: Outcome[] = [];
  for (const definition of tools.filter((one) => keys.has(one.name))) {
    try {
      const contract = { endpoint: job.endpoint, definition };
      const taken = (tool: string): boolean =>
        present.names.has(tool) || outcomes.some(({ draft }) => draft.file.name === tool);
      const scopes = job.protection?.scopes ?? [];
      const made = mcpDraftOf(contract, { connector, taken, scopes });
      outcomes.push(write(job, named(made, present), contract));
    } catch (error) {
      if (!(error instanceof NotImportable)) throw error;
      const { reason, message } = error;
      refused.push({ tool: definition.name, reason, message });
    }
  }
  if (outcomes.length > 0 && there === undefined) {
    const about = [`Proposed by doorless from ${printable(where)}.`];
    writeNew(join(folderIn(place.folder, name), "connector.yaml"), draftText(title, about), title);
  }
  report(job, outcomes, refused);
  return outcomes.length === 0 ? EXIT.no : EXIT.ok;
}

function listed({ name, description = "" }: UpstreamDefinition): Listed {
  const rest = { method: "", path: "", deprecated: false, node: { operationId: name }, item: {} };
  return { key: name, tag: "tools", summary: firstSentence(description, 60), ...rest };
}

/** A tool that is there keeps its name: the draft is compared with it. */
function named(draft: McpDraft, { own: there }: Present): McpDraft {
  const name = there.get(mcpKey(draft.upstream)) ?? draft.file.name;
  return { ...draft, file: { ...draft.file, name } };
}

// The pin is the server's own, whatever a human made of the draft: it is written where none is.
function write({ name, place, where }: Job, draft: McpDraft, contract: UpstreamContract): Outcome {
  const folder = folderIn(place.folder, name);
  const file = join(folder, `${draft.file.name}.tool.yaml`);
  const about = [
    `Proposed by doorless from ${printable(where)}. It is a draft: no session has it.`,
    ...remarksOn(contract.definition),
    ...draft.left_out.map((one) => `Left out: ${printable(one)}`),
  ];
  const pin = pinFile(folder, draft.file.name);
  folderIn(folder, "contract");
  if (!existsSync(pin)) writeNew(pin, upstreamPinText(contract, new Date()), {});
  const written = writeNew(file, draftText(draft.file, about), draft.file);
  return { draft, file, written };
}

/** The connector as mcp.config.json would have it. */
function configured(url: URL, name: string, { protection, client_id }: Listing, config?: Config) {
  const issuer = protection?.issuers[0];
  const ours = Object.values(config?.issuers ?? {}).some((one) => one.issuer === issuer);
  const resource = protection?.resource ?? url.href;
  const isLinked = issuer !== undefined && !ours;
  const scopes = protection?.scopes ?? [];
  const connection = {
    kind: "connection",
    authorization_server: issuer,
    client: { client_id: client_id ?? "(doorless as its client)" },
    scopes: scopes.length > 0 ? scopes : ["offline_access"],
    resource,
  };
  return {
    [name]: {
      mcp: { url: url.href },
      ...(isLoopback(url.hostname) ? { allow_private_addresses: true } : {}),
      delegation: isLinked ? connection : { kind: "exchange", resource },
    },
  };
}

function report(job: Job, all: readonly Outcome[], refused: readonly Refused[]): void {
  const { given, name, place } = job;
  const isKnown = own(place.config?.connectors ?? {}, name) !== undefined;
  const snippet = isKnown ? undefined : job.snippet;
  const faults = lintTools(
    all.map(({ draft }) => draft.tool),
    () => undefined,
  );
  if (given.flag("json")) {
    const drafts = all.map(({ draft, file, written }) => {
      const { upstream: tool, bytes, left_out } = draft;
      return { name: draft.file.name, tool, file, ...written, bytes, left_out };
    });
    const connectors = snippet === undefined ? {} : { connectors: snippet };
    printJson({ connector: name, drafts, refused, faults, ...connectors });
    return;
  }
  const rows = all.map(({ draft, written }) => {
    return [draft.file.name, written.state, draft.upstream, `≈ ${Math.ceil(draft.bytes / 4)}`];
  });
  if (all.length > 0) print(table(["tool", "file", "there", "tokens"], rows));
  for (const { draft, file, written } of all) {
    for (const one of draft.left_out) note(`${draft.file.name}: left out: ${one}`);
    if (written.state !== "differs") continue;
    note(`${file} is there and stays as it is; it differs:`);
    for (const one of written.differences) note(`  ${one}`);
  }
  for (const { tool, rule, pointer, said } of faults) note(`${tool}${pointer}: ${rule}: ${said}`);
  for (const { tool, reason, message } of refused) note(`${tool}: ${reason}: ${message}`);
  if (all.length === 0) return;
  note(`\nRead each draft, mend it, and approve it. A draft is in nobody's list of tools.`);
  if (snippet === undefined) return;
  note(`mcp.config.json has no connector ${name} yet; under "connectors" it needs`);
  note(JSON.stringify(snippet, null, 2).split("\n").slice(1, -1).join("\n"));
}
