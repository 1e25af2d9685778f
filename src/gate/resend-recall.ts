// Which writes of before this start may still be sent again, as the ledger's lines have it: what
// ran, and what was cut off, so that nobody knows what became of it.
import type { Line } from "../ledger/record.ts";
import type { Recalled } from "./resends.ts";

interface Write {
  readonly sent: Omit<Recalled, "effect" | "cut_off" | "age_ms">;
  readonly effect: Recalled["effect"];
  readonly cut_off: boolean;
  readonly runs: boolean;
  /** When it ended, or began where it runs; on a clock that nobody sets. */
  readonly at_ms: number;
}

export class ResendRecall {
  private readonly kept_ms: number;
  /** In the order of `at_ms`. */
  private readonly writes = new Map<string, Write>();
  private jumped_ms = 0;

  constructor(kept_ms: number) {
    this.kept_ms = kept_ms;
  }

  /** One line after the other, as they stand in a log that was recovered. */
  hear(line: Line): void {
    const at_ms = Date.parse(line.time) - this.jumped_ms;
    switch (line.kind) {
      case "intent": {
        if (line.marks === undefined || typeof line.tool !== "string") return;
        const { call_id, tool, tool_hash, marks, tenant, issuer, subject, session, agent } = line;
        const who = { tenant, issuer, subject };
        const whose = { issuer, subject, family: undefined, session, agent };
        const sent = { call_id, tool, tool_hash: tool_hash ?? "", marks, who, whose };
        this.writes.set(call_id, { sent, effect: "unknown", cut_off: true, runs: true, at_ms });
        return this.forgetOld(at_ms);
      }
      case "outcome": {
        const write = this.writes.get(line.call_id);
        if (write === undefined) return;
        this.writes.delete(line.call_id);
        const { effect, outcome, error_code } = line;
        if (effect === "none") return;
        // Only a start writes so of a call that had no end.
        const cut_off = outcome === "unknown" && error_code === null;
        const { sent } = write;
        return void this.writes.set(line.call_id, { sent, effect, cut_off, runs: false, at_ms });
      }
      case "replay":
        return void (line.error_code === "answer_lost" && this.toldLost(line.replay_of));
      case "event":
        if (line.event === "clock") this.jumped_ms += line.detail.by_ms;
        return;
      case "refusal":
    }
  }

  // Without a key, whoever was cut off is told so once. What had an answer stays for as long as
  // that is kept, which is until somebody has it.
  private toldLost(call_id: string): void {
    const first = this.writes.get(call_id);
    if (first?.sent.marks.key === null) this.writes.set(call_id, { ...first, cut_off: false });
  }

  found(now_ms: number): readonly Recalled[] {
    const now = now_ms - this.jumped_ms;
    return [...this.writes.values()].map(({ sent, effect, cut_off, at_ms }) => {
      return { ...sent, effect, cut_off, age_ms: now - at_ms };
    });
  }

  // What runs has its time before it, however long it takes.
  private forgetOld(now_ms: number): void {
    for (const [call_id, { at_ms, runs }] of this.writes) {
      if (at_ms > now_ms - this.kept_ms) break;
      if (!runs) this.writes.delete(call_id);
    }
  }
}
