// What answers say of their operation, besides what was asked: that it goes out of use, that it
// ends, and that it does not answer as agreed. Kept on disk, since it may be why a tool is stopped.
import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { announce, announcedIn } from "../contract/announced.ts";
import { anyItem, Findings, gravestFirst } from "../contract/findings.ts";
import type { Finding } from "../contract/findings.ts";
import type { Projection } from "../contract/projection.ts";
import type { Mismatch } from "../contract/schema.ts";
import type { Clock } from "../kernel/clock.ts";
import { canonicalJson, digestOf } from "../kernel/ids.ts";
import { pointerTo, tokensOf } from "../kernel/json.ts";
import { own } from "../kernel/own.ts";
import { replaceFile } from "../store/replace-file.ts";
import { connectorOf } from "./definition.ts";
import type { Catalog, ToolDefinition } from "./definition.ts";
import type { Verdict } from "./drift.ts";
import type { Lock } from "./lock.ts";

/** In the data folder. */
export const NOTICES_FILE = "notices.json";

const placeSchema = z.strictObject({ pointer: z.string(), expected: z.string() });
const noticeSchema = z.strictObject({
  tool: z.string(),
  operation: z.string(),
  deprecation: z.string().optional(),
  sunset: z.string().optional(),
  /** Of which definition the answers were wrong, and where. */
  misfit: z.strictObject({ definition: z.string(), places: z.array(placeSchema) }).optional(),
});
type Notice = z.infer<typeof noticeSchema>;

/** What an API says of an operation in turns is one change an hour. */
const CHANGE_MS = 3_600_000;
/** So many answers to different calls, one after the other, in so long. */
const MISFITS = { calls: 3, within_ms: 600_000 };
const PLACES_MAX = 10;

/** Answers of one tool that do not fit, and none between them that does. */
interface Row {
  /** By its arguments: when each came. */
  readonly calls: Map<string, number>;
}

type Told = Pick<Notice, "deprecation" | "sunset" | "misfit">;

export class Notices {
  private readonly file: string;
  private readonly clock: Clock;
  private readonly notices: Map<string, Notice>;
  private readonly changed_ms = new Map<string, number>();
  private readonly rows = new Map<string, Row>();
  private listener: (error?: unknown) => void = () => undefined;

  /** Throws where the file is there and cannot be understood: nobody knows what it stopped. */
  constructor(file: string, clock: Clock) {
    this.file = file;
    this.clock = clock;
    this.notices = new Map(readNotices(file).map((one) => [keyOf(one.tool, one.operation), one]));
  }

  /** `listener` hears that something is new, and why it could not be kept. */
  onNews(listener: (error?: unknown) => void): void {
    this.listener = listener;
  }

  /** The head of an answer to this operation of the tool. */
  heard(tool: string, operation: string, headers: Parameters<typeof announcedIn>[0]): void {
    const { deprecation, sunset } = announcedIn(headers);
    const key = keyOf(tool, operation);
    const known = this.notices.get(key);
    if (known?.deprecation === deprecation && known?.sunset === sunset) return;
    const now_ms = this.clock.monotonic();
    if (now_ms - (this.changed_ms.get(key) ?? Number.NEGATIVE_INFINITY) < CHANGE_MS) return;
    this.changed_ms.set(key, now_ms);
    this.put(tool, operation, { ...known, deprecation, sunset });
  }

  /** An answer did not fit: of one call it may be the record, of several it is the contract. */
  misfit(tool: ToolDefinition, args: unknown, drift: readonly Mismatch[]): void {
    const now_ms = this.clock.monotonic();
    const { calls } = this.rows.get(tool.name) ?? { calls: new Map<string, number>() };
    for (const [one, at_ms] of calls) if (now_ms - at_ms > MISFITS.within_ms) calls.delete(one);
    // A tool without arguments has one call alone.
    const which = tool.inputs.size === 0 ? String(calls.size) : digestOf(canonicalJson(args));
    calls.set(which, now_ms);
    this.rows.set(tool.name, { calls });
    if (calls.size < MISFITS.calls) return;
    calls.clear();
    const placeOf = placesOf(tool);
    const places = new Map(
      drift.slice(0, PLACES_MAX).map(({ path, expected }) => [placeOf(path), expected]),
    );
    const misfit = {
      definition: tool.hash,
      places: [...places].map(([pointer, expected]) => ({ pointer, expected })),
    };
    const operation = operationOf(tool);
    this.put(tool.name, operation, { ...this.notices.get(keyOf(tool.name, operation)), misfit });
  }

  /** An answer fits. */
  fit(tool: ToolDefinition): void {
    this.rows.delete(tool.name);
    const operation = operationOf(tool);
    const known = this.notices.get(keyOf(tool.name, operation));
    if (known?.misfit === undefined) return;
    this.put(tool.name, operation, { ...known, misfit: undefined });
  }

  findingsOf(tool: ToolDefinition): readonly Finding[] {
    return findingsIn([...this.notices.values()], tool, this.clock.now());
  }

  /** Forgets tools that are gone, and operations that they do not use any more. */
  keepOnly({ tools, absent, drafts }: Catalog): void {
    for (const [key, { tool, operation }] of this.notices) {
      const served = tools.get(tool);
      const isAway = served === undefined && (absent.has(tool) || drafts.includes(tool));
      if (!isAway && !(served !== undefined && uses(served, operation))) this.notices.delete(key);
    }
  }

  private put(tool: string, operation: string, { deprecation, sunset, misfit }: Partial<Told>) {
    const key = keyOf(tool, operation);
    if ((deprecation ?? sunset ?? misfit) === undefined) this.notices.delete(key);
    else this.notices.set(key, { tool, operation, deprecation, sunset, misfit });
    try {
      replaceFile(this.file, `${JSON.stringify([...this.notices.values()], null, 2)}\n`, 0o600);
      this.listener();
    } catch (error) {
      // It is in force all the same, until a restart.
      this.listener(error);
    }
  }
}

/** What is kept in `file`; nothing where there is no such file. */
export function readNotices(file: string): readonly Notice[] {
  if (!existsSync(file)) return [];
  return z.array(noticeSchema).parse(JSON.parse(readFileSync(file, "utf8")));
}

/** What is to be told of a tool as it is now. */
export function findingsIn(
  notices: readonly Notice[],
  tool: ToolDefinition,
  now_ms: number,
): readonly Finding[] {
  return notices.flatMap(({ operation, misfit, ...announced }) => {
    if (announced.tool !== tool.name || !uses(tool, operation)) return [];
    const findings = new Findings(operation, {});
    const pinned = tool.kind === "declarative" ? tool.pin?.slice : undefined;
    announce(findings, announced, pinned, now_ms);
    // What was mended since may fit.
    const places = misfit?.definition === tool.hash ? misfit.places : [];
    for (const { pointer, expected } of places) {
      const place = { side: "response", kind: "body", pointer: `/answer${pointer}` } as const;
      findings.add("answer-not-as-agreed", { ...place, path: pointer }, { to: expected });
    }
    return findings.all();
  });
}

/** Where in any answer: a name that the definition does not have may be a person's. */
function placesOf({ output }: ToolDefinition): (path: string) => string {
  const known = new Set<string>();
  const learn = (fields: Projection): void => {
    for (const field of fields.values()) {
      for (const name of tokensOf(field.from)) known.add(name);
      if (field.kind === "list") learn(field.items);
      else if (field.kind === "object") learn(field.fields);
      else for (const word of wordsIn(field.schema)) known.add(word);
    }
  };
  learn(output);
  return (path) => {
    const names = tokensOf(anyItem(path)).map((name) => (known.has(name) ? name : "*"));
    return names.reduce(pointerTo, "");
  };
}

function wordsIn(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([name, inner]) => [name, ...wordsIn(inner)]);
}

function keyOf(tool: string, operation: string): string {
  return `${tool} ${operation}`;
}

/** What a tool asks its API for; of code, that it is this tool. */
export function operationOf(tool: ToolDefinition): string {
  return tool.kind === "declarative" ? `${tool.method} ${tool.path}` : tool.name;
}

function uses(tool: ToolDefinition, operation: string): boolean {
  return operation === operationOf(tool) || (tool.kind === "code" && tool.uses.has(operation));
}

/**
 * What answers have said of a tool, beside what its document says: one verdict. `verdict` is the
 * document's, where it has been looked at.
 */
export function noticed(
  tool: ToolDefinition,
  found: readonly Finding[],
  verdict: Verdict | undefined,
  lock: Lock,
): Verdict {
  const accepted = new Set(own(lock.tools, tool.name)?.accepted);
  const said = found.map((one) => ({ ...one, accepted: accepted.has(one.fingerprint) }));
  const findings = gravestFirst([...(verdict?.findings ?? []), ...said]);
  const drift = findings.length > 0 ? "drift" : "same";
  return {
    ...verdict,
    tool: tool.name,
    connector: connectorOf(tool)?.name ?? "",
    read_only: tool.effects.readOnly,
    state: verdict?.state === "unverified" ? "unverified" : drift,
    severity: findings.find((one) => !one.accepted)?.severity,
    findings,
  };
}
