// Whether each tool's API is still what was approved: its document is read where it came from,
// without any credential, and judged by the contract's rules. Nothing is adopted here.
import { resolve } from "node:path";
import { judge } from "../contract/compare.ts";
import { TOO_MANY } from "../contract/findings.ts";
import type { Finding, Sent, Use } from "../contract/findings.ts";
import { neededFields } from "../contract/restrict.ts";
import type { Severity } from "../contract/rules.ts";
import { SliceError } from "../contract/slice-error.ts";
import type { UpstreamContract } from "../contract/upstream.ts";
import type { Slice } from "../contract/slice.ts";
import type { Projection } from "../contract/projection.ts";
import { pointerTo } from "../kernel/json.ts";
import { own } from "../kernel/own.ts";
import type { Catalog, DeclarativeTool } from "./definition.ts";
import type { Lock } from "./lock.ts";
import type { ApiDocument } from "./openapi/document.ts";
import { leadsOn, pagedBy, reliedOn } from "./pagination.ts";
import { NotImportable, REASONS } from "./openapi/reason.ts";
import { withDocument } from "./openapi/source.ts";

/** One tool's contract, and all that is needed to judge it; data alone. */
export interface Contract {
  readonly tool: string;
  readonly connector: string;
  readonly read_only: boolean;
  /** The address or file of the document. */
  readonly from: string;
  readonly allow_private: boolean;
  readonly slice: Slice;
  readonly projection: Projection;
  readonly use: Use;
  /** Fingerprints of what somebody has accepted. */
  readonly accepted: readonly string[];
}

export interface Verdict {
  readonly tool: string;
  readonly connector: string;
  readonly read_only: boolean;
  /** `unverified`: nobody can say just now. */
  readonly state: "same" | "drift" | "unverified";
  /** The gravest of what nobody has accepted. */
  readonly severity: Severity | undefined;
  readonly findings: readonly JudgedFinding[];
  readonly why?: string;
  /** As the API is today. */
  readonly slice?: Slice;
  /** The same of a tool of an MCP server. */
  readonly listed?: UpstreamContract;
}

export interface JudgedFinding extends Finding {
  readonly accepted: boolean;
}

export interface Where {
  readonly tools_dir: string;
  readonly connectors: Readonly<
    Record<
      string,
      {
        readonly allow_private_addresses: boolean;
        readonly contract?: { readonly document: string } | undefined;
      }
    >
  >;
}

/** The contracts of all tools that have one. */
export function contractsOf(catalog: Catalog, lock: Lock, where: Where, now_ms: number) {
  const today = new Date(now_ms).toISOString().slice(0, 10);
  return [...catalog.tools.values()].flatMap((tool): Contract[] => {
    if (tool.kind !== "declarative" || tool.pin === undefined) return [];
    return [contractOf(tool, tool.pin.slice, lock, where, today)];
  });
}

function contractOf(
  tool: DeclarativeTool,
  slice: Slice,
  lock: Lock,
  { tools_dir, connectors }: Where,
  today: string,
): Contract {
  const connector = own(connectors, tool.connector.name);
  const relied = reliedOn(tool);
  const from = connector?.contract?.document ?? slice.source.from;
  return {
    tool: tool.name,
    connector: tool.connector.name,
    read_only: tool.effects.readOnly,
    from: /^https?:\/\//i.test(from) ? from : resolve(tools_dir, from),
    allow_private: connector?.allow_private_addresses ?? false,
    slice,
    projection: relied,
    use: { sends: sentBy(tool), needs: neededFields(relied), follows: leadsOn(tool), today },
    accepted: own(lock.tools, tool.name)?.accepted ?? [],
  };
}

/** Every value that a tool's request may hold, by its place. */
function sentBy(tool: DeclarativeTool): ReadonlyMap<string, Sent> {
  const { inputs, fixed, connector } = tool;
  const sends = new Map<string, Sent>();
  for (const name of pagedBy(tool)) sends.set(pointerTo("/query", name), { always: false });
  const text = (value: string): Sent => ({
    always: true,
    schema: { type: "string", const: value },
  });
  const headers = { ...connector.headers, ...fixed.header };
  for (const [name, value] of Object.entries(fixed.query)) {
    sends.set(pointerTo("/query", name), text(value));
  }
  for (const [name, value] of Object.entries(headers)) {
    sends.set(pointerTo("/header", name.toLowerCase()), text(value));
  }
  for (const name of [connector.request_id_header, connector.idempotency_header]) {
    if (name !== undefined) sends.set(pointerTo("/header", name.toLowerCase()), { always: false });
  }
  for (const { in: place, as, whole, optional, schema } of inputs.values()) {
    const name = place === "header" ? as.toLowerCase() : as;
    const at = whole && place === "body" ? "/body" : pointerTo(`/${place}`, name);
    sends.set(at, { always: !optional, schema });
  }
  return sends;
}

/** Reads each document once, and judges every contract by it. */
export async function judgeContracts(
  contracts: readonly Contract[],
  now_ms: number,
): Promise<readonly Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const [, group] of Map.groupBy(contracts, ({ from }) => from)) {
    verdicts.push(...(await judgeGroup(group, now_ms)));
  }
  return verdicts.toSorted((a, b) => (a.tool < b.tool ? -1 : 1));
}

async function judgeGroup(group: readonly Contract[], now_ms: number): Promise<readonly Verdict[]> {
  const [first] = group;
  if (first === undefined) return [];
  const allow_private = group.every((one) => one.allow_private);
  const options = { allow_private, progress: () => undefined };
  try {
    return await withDocument(first.from, options, async (document) => {
      await document.gather(document.root["paths"]);
      return group.map((contract) => verdictOf(contract, document, now_ms));
    });
  } catch (error) {
    // Whoever serves a page of errors in its place has not changed the API.
    if (!(error instanceof NotImportable || error instanceof SliceError)) throw error;
    return group.map((contract) => unverified(contract, error.message));
  }
}

/** What is said where the document could not be read or judged. */
export function unverified(
  { tool, connector, read_only }: Pick<Contract, "tool" | "connector" | "read_only">,
  why: string,
): Verdict {
  const nothing = { severity: undefined, findings: [] };
  return { tool, connector, read_only, state: "unverified", ...nothing, why };
}

function verdictOf(contract: Contract, document: ApiDocument, now_ms: number): Verdict {
  const { root, sha256, unread } = document;
  const { tool, connector, read_only, slice: pinned, projection, use } = contract;
  const retrieved = new Date(now_ms).toISOString();
  const source = { from: pinned.source.from, sha256, retrieved };
  const { slice, findings } = judge(pinned, root, { source, projection }, use);
  // A part of the document that cannot be fetched is no change of the API.
  if (unread !== undefined && findings.some(({ rule }) => rule === "operation-not-readable")) {
    return unverified(contract, `${REASONS.document_unreachable}: ${unread}`);
  }
  const judged = findings.map((one) => ({
    ...one,
    accepted: one.rule !== TOO_MANY && contract.accepted.includes(one.fingerprint),
  }));
  return {
    tool,
    connector,
    read_only,
    state: judged.length === 0 ? "same" : "drift",
    // Findings stand gravest first.
    severity: judged.find(({ accepted }) => !accepted)?.severity,
    findings: judged,
    ...(slice === undefined ? {} : { slice }),
  };
}
