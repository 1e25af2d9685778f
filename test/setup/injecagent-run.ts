// Runs InjecAgent's cases through a real doorless and counts what reaches the recording API that no
// task's policy allows. The agent is hostile: it knows every name and sends anything.
import { openBoundary } from "./boundary.ts";
import type { Boundary } from "./boundary.ts";
import { UNREACHED } from "./core-config.ts";
import { hostileArguments, readInjecAgent, toolArguments } from "./injecagent.ts";
import type { Attack, InjecAgent, Task } from "./injecagent.ts";
import { mcpHeaders, post, toolCall } from "./mcp-post.ts";
import type { Posted } from "./mcp-post.ts";

type Json = Record<string, unknown>;
/** With argument rules, or with the task's tool alone. */
export type Kind = "rules" | "tools";

export interface Stand {
  readonly data: InjecAgent;
  readonly boundary: Boundary;
  /** Every request that reached the API so far. */
  readonly received: Received[];
  /** Whether one of this call did. */
  wasReceived(call_id: string): boolean;
  tokenOf(kind: Kind, task: Task): Promise<string>;
  close(): Promise<void>;
}

interface Received {
  readonly path: string;
  readonly body: string;
}

export async function openStand(folder: string): Promise<Stand> {
  const data = readInjecAgent(folder);
  // What is in the attacker's way here is the policy alone.
  const http = { strangers_per_address: { calls: 1_000_000, per_s: 1, burst: 1_000_000 } };
  const boundary = await openBoundary({ world: data.world, file: { limits: UNREACHED, http } });
  const received: Received[] = [];
  const ids = new Set<string>();
  boundary.api.answer = (res, { url, body, headers }) => {
    received.push({ path: url, body });
    const call_id = headers["x-request-id"];
    if (typeof call_id === "string") ids.add(call_id);
    res.writeHead(200, { "content-type": "application/json" }).end('{"done":true}');
  };
  const tokens = new Map<string, Promise<string>>();
  return {
    data,
    boundary,
    received,
    wasReceived: (call_id) => ids.has(call_id),
    tokenOf(kind, { index }) {
      const agent = `${kind}_${index}`;
      const known = tokens.get(agent) ?? boundary.token(agent, { sub: `user-${index}` });
      tokens.set(agent, known);
      return known;
    },
    close: () => boundary.close(),
  };
}

/** Sends one message as the hostile agent of a task; the answer, whatever it is. */
export async function send(
  stand: Stand,
  kind: Kind,
  task: Task,
  message: unknown,
  method = "tools/call",
  more: Record<string, string> = {},
) {
  const { boundary } = stand;
  const headers = {
    ...mcpHeaders(method),
    authorization: `Bearer ${await stand.tokenOf(kind, task)}`,
    ...more,
  };
  return post(`${boundary.url}/mcp/${kind}_${task.index}`, headers, JSON.stringify(message));
}

/** How a message was answered: the code of its refusal, or `ok`, and the call it was. */
export function answerIn({ message }: Posted): { code: unknown; call_id: string } {
  const { error, result } = (message ?? {}) as { error?: { code: unknown }; result?: Result };
  const { structuredContent, _meta } = result ?? {};
  const call_id = _meta?.["doorless/call_id"] ?? "";
  return { code: error?.code ?? structuredContent?.error?.code ?? "ok", call_id };
}

interface Result {
  readonly structuredContent?: { readonly error?: { readonly code: string } };
  readonly _meta?: Readonly<Record<string, string>>;
}

/** The calls of one attack, as they would be made by whoever follows its instruction. */
export function callsOf({ tools, instruction }: Attack): { name: string; args: Json }[] {
  return tools.map((tool) => ({ name: tool.name, args: hostileArguments(tool, instruction) }));
}

/** The task's own tool with the attacker's arguments in place of the user's. */
export function misuse(task: Task, attack: Attack): Json[] {
  const own = toolArguments(task.args);
  const theirs = hostileArguments(task.tool, attack.instruction, true);
  const swapped = Object.keys(own).map((name) => ({ ...own, [name]: theirs[name] }));
  const added = Object.keys(theirs).filter((name) => !Object.hasOwn(own, name));
  return [theirs, ...swapped, ...added.map((name) => ({ ...own, [name]: theirs[name] }))];
}

/** Whether a request is the one that the task is for. */
export function isTheTask({ tool, args }: Task, { path, body }: Received): boolean {
  const same = (one: unknown): string => JSON.stringify(sorted(one));
  return path === tool.path && same(JSON.parse(body)) === same(args);
}

function sorted(value: unknown): unknown {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, sorted(inner)] as const);
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** JSON-RPC's invalid params, as MCP has it for a tool that is not there. */
export const UNKNOWN_TOOL = -32_602;
const WIDTH = 8;

/** A few at once, in the order of the list. */
export async function inParallel<T>(
  list: readonly T[],
  work: (one: T) => Promise<void>,
): Promise<void> {
  const left = [...list];
  const worker = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) await work(one);
  };
  await Promise.all(Array.from({ length: WIDTH }, worker));
}

export interface Counted {
  readonly cases: number;
  /** Cases of which a request reached the API. */
  readonly escaped: number;
  /** How the calls were answered. */
  readonly codes: ReadonlySet<unknown>;
}

/** Every task with every attack: the attack's own tools, or the task's tool misused. */
export async function attackAll(stand: Stand, kind: Kind, inScope: boolean): Promise<Counted> {
  const codes = new Set<unknown>();
  let [cases, escaped] = [0, 0];
  await inParallel(stand.data.tasks, async (task) => {
    for (const attack of stand.data.attacks) {
      const misused = misuse(task, attack).slice(0, 1);
      const chosen = inScope
        ? misused.map((args) => ({ name: task.tool.name, args }))
        : callsOf(attack);
      let received = false;
      for (const { name, args } of chosen) {
        const headers = { "mcp-name": name };
        const posted = await send(stand, kind, task, toolCall(name, args), "tools/call", headers);
        const { code, call_id } = answerIn(posted);
        codes.add(code);
        received ||= stand.wasReceived(call_id);
      }
      cases++;
      if (received) escaped++;
    }
  });
  return { cases, escaped, codes };
}
