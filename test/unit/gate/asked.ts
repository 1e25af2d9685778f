// A table of questions for tests: its clock, and what it wrote down.
import { expect, onTestFinished } from "vitest";
import { Approvals } from "../../../src/gate/approvals.ts";
import type { Asked, Bound, Question } from "../../../src/gate/approvals.ts";
import type { LedgerEvents } from "../../../src/ledger/events.ts";
import { testClock } from "../ledger/entries.ts";

type Detail = LedgerEvents["approval"];

export const ADA = { tenant: "acme", issuer: "https://login.test", subject: "ada" };
export const REFUND: Bound = {
  who: ADA,
  agent: "desk",
  client_id: "an-ide",
  tool: "refund",
  tool_hash: "sha256:1",
  policy: "sha256:2",
  args: { id: 7, amount: 80, reason: "Charged twice" },
};
const LIMITS = { approval_s: 600, approvals_max: 6, approvals_per_user_max: 3 };

interface Opened {
  readonly approvals: Approvals;
  readonly clock: ReturnType<typeof testClock>;
  /** What is on record, in order. */
  readonly said: Detail[];
  readonly ask: (changes?: Partial<Bound>) => Asked;
  /** Asks, and says yes. */
  readonly approve: (changes?: Partial<Bound>) => Promise<string>;
}

export function opened(record?: (detail: Detail) => Promise<void>): Opened {
  const clock = testClock();
  const said: Detail[] = [];
  const approvals = new Approvals({
    clock,
    limits: LIMITS,
    record:
      record ??
      ((detail) => {
        said.push(detail);
        return Promise.resolve();
      }),
    onUnrecorded: () => undefined,
  });
  onTestFinished(() => approvals.close());
  const ask = (changes: Partial<Bound> = {}): Asked => {
    const bound = { ...REFUND, ...changes };
    return approvals.ask(bound, () => questionOf(bound));
  };
  const approve = async (changes: Partial<Bound> = {}): Promise<string> => {
    const asked = ask(changes);
    const id = asked.kind === "waiting" ? asked.id : "";
    expect(await approvals.decide(id, true, "page")).toBe(true);
    return id;
  };
  return { approvals, clock, said, ask, approve };
}

export function questionOf(bound: Bound): Question {
  const { agent, client_id, tool, args } = bound;
  const shown = { agent, client_id, tool, title: "Refund", destructive: true, args, uses: [] };
  const rest = { connector: undefined, request: undefined };
  const asked = { call_id: "call-1", session: "ses_1", family: "sign-in-1", args_kept: {} };
  return { bound, shown: { ...shown, ...rest }, ...asked };
}

export const idOf = (asked: Asked): string => (asked.kind === "waiting" ? asked.id : "");
export const isHers = ({ subject }: { subject: string }): boolean => subject === "ada";
export const whats = (said: readonly Detail[]): string[] => said.map(({ what }) => what);
