// Alive: step 2 of the gate. May this session go on: was it ended, is it locked, does its provider
// still vouch for it, does another agent keep it out? Asked at the door, again before the user's
// token is used, and again before a result is released.
import { refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import { no, ok } from "../kernel/result.ts";
import type { Result } from "../kernel/result.ts";
import type { Credential } from "../kernel/principal.ts";
import type { ExclusiveAgents } from "./exclusive.ts";
import type { Liveness, LivenessFact } from "./liveness.ts";
import type { Going } from "./reach.ts";
import type { Stops, Watch } from "./stops.ts";

export class Alive {
  private readonly stops: Stops;
  private readonly liveness: Liveness;
  private readonly exclusive: ExclusiveAgents;

  constructor(stops: Stops, liveness: Liveness, exclusive: ExclusiveAgents) {
    this.stops = stops;
    this.liveness = liveness;
    this.exclusive = exclusive;
  }

  /**
   * At the door. Refused: `invalid_token` where it has ended, `identity_unavailable` where nobody
   * can say. A value: why a known user may do nothing just now (`locked`, `agent_in_use`,
   * `claims_missing`), or nothing.
   */
  async enter(going: Going): Promise<Result<Refusal | undefined>> {
    if (this.stops.hasEnded(going)) return no(endedAtDoor());
    // Who is locked is known here: no provider has to be asked about him.
    const locked = this.stops.lockOn(going);
    if (locked !== undefined) return ok(locked);
    const refused = await this.liveness.check(going.credential);
    if (refused !== undefined) return no(refused);
    // It may have ended while the provider thought.
    if (this.stops.hasEnded(going)) return no(endedAtDoor());
    const { incomplete } = going.credential;
    if (incomplete !== undefined) return ok(refusal("claims_missing", { reason: incomplete }));
    return ok(this.stops.lockOn(going) ?? this.exclusive.enter(going));
  }

  /** Again, for something under way: `access_revoked` or `identity_unavailable`, or nothing. */
  async again(watch: Watch): Promise<Refusal | undefined> {
    const before = watch.ended();
    if (before !== undefined) return before;
    const refused = await this.liveness.check(watch.credential);
    const meanwhile = watch.ended();
    if (meanwhile !== undefined) return meanwhile;
    return refused?.code === "invalid_token" ? refusal("access_revoked") : refused;
  }

  /** Watches a call of `tool`, or an open stream. */
  watch(going: Going, tool?: string): Watch {
    return this.stops.watch(going, tool);
  }

  /** Why a tool that the session has may not run. */
  lockOnTool(tool: string): Refusal | undefined {
    return this.stops.lockOnTool(tool);
  }

  factOf(credential: Credential): LivenessFact {
    return this.liveness.factOf(credential);
  }
}

function endedAtDoor(): Refusal {
  return refusal("invalid_token", { reason: "Refused: it was revoked." });
}
