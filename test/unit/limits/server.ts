// A server's limits between its start and its death: what runs is in a ledger, time is the test's.
import type { Catalog, ToolDefinition } from "../../../src/catalog/definition.ts";
import { limitsSchema } from "../../../src/config/limits.ts";
import type { LimitsConfig } from "../../../src/config/limits.ts";
import type { Clock } from "../../../src/kernel/clock.ts";
import type { Refusal } from "../../../src/kernel/errors.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { spendHistory } from "../../../src/ledger/spend-history.ts";
import { Limits } from "../../../src/limits/limits.ts";
import type { Lease } from "../../../src/limits/limits.ts";
import type { Going } from "../../../src/session/reach.ts";
import { going } from "../../setup/going.ts";
import { catalogOf, toolFile, WRITES } from "../../setup/minimal.ts";
import { intent, outcome } from "../ledger/entries.ts";

/** item_get, which reads, and item_drop, which destroys. */
function catalogued(): Catalog["tools"] {
  const effects = { ...WRITES.effects, destructive: true };
  return catalogOf(toolFile("item_get"), toolFile("item_drop", { ...WRITES, effects })).tools;
}

export interface Server {
  readonly limits: Limits;
  /** A call with arguments of its own; what became of it. */
  call(who?: Going, tool?: string, args?: unknown): Promise<Refusal | undefined>;
  readonly leases: Lease[];
  readonly toolNamed: (name: string) => ToolDefinition;
}

/** A server between its start and its death: calls that run are in the ledger. */
export function started(its: LimitsConfig, ledger: Ledger, folder: string, clock: Clock): Server {
  const onJump = (by_ms: number): void => void ledger.event("clock", { by_ms });
  const limits = new Limits({ limits: its, clock, onJump });
  const tools = catalogued();
  const toolNamed = (name: string): ToolDefinition => {
    const tool = tools.get(name);
    if (tool === undefined) throw new RangeError(name);
    return tool;
  };
  limits.recall(spendHistory(folder), (name) => tools.get(name));
  let calls = 0;
  const leases: Lease[] = [];
  return {
    limits,
    leases,
    toolNamed,
    async call(who = going(), tool = "item_get", args = { id: ++calls }) {
      const taken = limits.take(who, { tool: toolNamed(tool), args });
      if (!taken.ok) return taken.refusal;
      leases.push(taken.value);
      const { principal, client_id } = who.credential;
      const call_id = `call-${clock.now()}-${Math.random()}`;
      const session = who.session.id;
      const facts = {
        ...principal,
        client_id,
        session,
        tool,
        effects: { ...toolNamed(tool).effects },
      };
      await ledger.intent(
        intent(call_id, { ...facts, user: "x", tenant: principal.tenant ?? null }),
      );
      taken.value.end(100, undefined);
      await ledger.outcome(outcome(call_id, { bytes: 100 }));
      return undefined;
    },
  };
}

const FREE = { calls: 1_000_000, per_s: 1, burst: 1_000_000 };

export function config(changes: object = {}): LimitsConfig {
  return limitsSchema.parse({
    requests_per_user: FREE,
    calls_per_user: FREE,
    calls_per_user_and_tool: FREE,
    running_calls_per_user_max: 1024,
    running_calls_max: 4096,
    ...changes,
  });
}

export const ONE_PER_HOUR = { calls_per_user: { calls: 1, per_s: 3600, burst: 100 } };
export const sessions = Array.from({ length: 10 }, (_, i) => going({ family: `sign-in ${i}` }));

/** So many calls at once, by turns from ten sessions of one user. */
export async function flood(server: Server, calls: number) {
  const ended = await Promise.all(
    Array.from({ length: calls }, (_, i) => server.call(sessions[i % 10])),
  );
  const refused = ended.filter((refusal) => refusal !== undefined);
  return { ran: calls - refused.length, refused };
}
