// The gate: the only composer. enter, list, call; one loop, one exit, where the ledger is written.
import { originIn } from "../config/connector.ts";
import type { ToolDefinition } from "../catalog/definition.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { formatTraceparent, parseTraceparent, startCallSpan } from "../telemetry/trace.ts";
import type { Verifier } from "../identity/verifier.ts";
import { errorTable, refusal, refusalToError } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import { uuidv7 } from "../kernel/ids.ts";
import { no, ok } from "../kernel/result.ts";
import type { Result } from "../kernel/result.ts";
import type { Secret } from "../kernel/secret.ts";
import { innerSurface, narrow } from "../policy/surface.ts";
import type { ListedTool, Narrowing } from "../policy/surface.ts";
import { whoIn } from "../policy/who.ts";
import { sessionOf } from "../session/session.ts";
import type { ClientClaim, Sessions } from "../session/sessions.ts";
import type { Going } from "../session/reach.ts";
import type { Watch } from "../session/stops.ts";
import type {
  CallAnswer,
  CallContext,
  CallRequest,
  DryRun,
  Entry,
  Inner,
  Progress,
  Rooms,
} from "./call.ts";
import { answerOf, effectAt, saidOfYes, unrecorded } from "./answer.ts";
import { isTrustedToAsk } from "./approval.ts";
import { stopOn } from "./found.ts";
import { NO_TOOL, outcomeOf, refusalOf, replayOf, rounded, unavailable } from "./records.ts";
import { leave } from "./resent.ts";
import { judgedNow } from "./judge.ts";
import { DRY, pathOf } from "./steps.ts";
import type { Step } from "./steps.ts";

export interface GateOptions extends Rooms {
  readonly verifier: Verifier;
  readonly sessions: Sessions;
  readonly metrics: Metrics;
  readonly log: Logger;
}

export class Gate {
  private readonly rooms: GateOptions;

  constructor(rooms: GateOptions) {
    this.rooms = rooms;
  }

  /**
   * Steps 1 and 2, for every MCP request: who is this, and may anything happen just now?
   * Refuses with `invalid_token` or `identity_unavailable`; a known user who is limited or locked
   * still enters, with `stopped`, so that the answer is a result and the record names him.
   */
  async enter(token: Secret, agent: string, narrowing: Narrowing): Promise<Result<Entry>> {
    const { verifier, policy, clock, alive } = this.rooms;
    const started_ms = clock.monotonic();
    const verified = await verifier.verify(token, agent);
    if (!verified.ok) return no(verified.refusal);
    const credential = verified.value;
    const session = sessionOf(credential);
    const living = await alive.enter({ credential, session });
    if (!living.ok) return no(living.refusal);
    const stopped = living.value ?? this.requestLimit({ credential, session });
    const decides = policy();
    const surface = narrow(decides.surface(whoIn(credential), agent), narrowing);
    return ok(
      Object.freeze({
        credential,
        session,
        surface,
        narrowing,
        policy: decides,
        stopped,
        who_ms: clock.monotonic() - started_ms,
      }),
    );
  }

  private requestLimit(going: Going): Refusal | undefined {
    const refused = this.rooms.limits.request(going);
    if (refused !== undefined) this.crossed(going, refused);
    return refused;
  }

  /** Somebody met a limit of ours: counted, and on record once in a while. */
  private crossed({ credential, session }: Going, refused: Refusal): void {
    const { metrics, limits, ledger, log } = this.rooms;
    const { limit = refused.code, scope = "session" } = refused.details ?? {};
    metrics.limited.add({ limit: String(limit) });
    if (!limits.isNews(String(limit), session.id)) return;
    const { issuer, subject, tenant = null } = credential.principal;
    const who = { tenant, issuer, subject, session: session.id };
    const { retry_after_ms = 0 } = refused;
    const detail = { ...who, limit: String(limit), scope: String(scope), retry_after_ms };
    ledger.event("limit", detail).catch((err: unknown) => {
      log.error({ err }, "that a limit was reached could not be recorded");
    });
  }

  /** Records a session when it first shows itself, with the client that it says it is. */
  meet(entry: Entry, client: ClientClaim | undefined): void {
    const { session, credential } = entry;
    if (!this.rooms.sessions.see(entry, client)) return;
    const { issuer, subject, tenant = null } = credential.principal;
    const { id, agent, client_id, has_family } = session;
    const who = { issuer, subject, tenant, client_id, id, agent, has_family };
    const detail = { ...who, client_claims: client ?? null };
    const failed = (error: unknown): void => {
      this.rooms.log.error({ err: error }, "a session could not be recorded");
    };
    this.rooms.ledger.event("session", detail).catch(failed);
  }

  /**
   * What this session has: the same frozen objects that `call` goes through, without those that
   * are stopped. Whoever is locked has nothing, and nothing to sign in for.
   */
  list(entry: Entry): Result<readonly ListedTool[]> {
    if (entry.stopped?.code === "locked") return ok([]);
    if (entry.stopped !== undefined) return no(entry.stopped);
    const { list } = entry.surface;
    const isStopped = ({ name }: ListedTool): boolean => {
      const door = entry.surface.get(name);
      return door !== undefined && this.stopOn(door.tool) !== undefined;
    };
    return ok(list.some(isStopped) ? list.filter((tool) => !isStopped(tool)) : list);
  }

  /** Why nobody may call this tool just now, whoever has it. */
  stopOn(tool: ToolDefinition): Refusal | undefined {
    return stopOn(this.rooms, tool);
  }

  /** Watches an open stream of this session: it ends when the session may not go on. */
  watch(entry: Entry): Watch {
    return this.rooms.alive.watch(entry);
  }

  /** Whether something that was let in may still go on; asks the provider where it must. */
  async mayGoOn(watch: Watch): Promise<boolean> {
    return (await this.rooms.alive.again(watch)) === undefined;
  }

  /** Records what a known user asked and was refused before it became a call. Never throws. */
  async refuse(entry: Entry, refused: Refusal): Promise<void> {
    const signal = AbortSignal.abort();
    const rest = { traceparent: undefined, idempotency_key: undefined, signal };
    const call = this.begin(entry, { tool: NO_TOOL, args: {}, ...rest });
    call.watch.leave();
    await this.record(call, { attempts: [], steps: {}, bytes: 0 }, refused);
    call.span.end(errorTable[refused.code].outcome, refused.code);
  }

  /** One call, from its first step to its recorded end. Never throws. */
  async call(entry: Entry, request: CallRequest): Promise<CallAnswer> {
    const call = this.begin(entry, request);
    const progress: Progress = { attempts: [], steps: {}, bytes: 0 };
    let refused: Refusal | undefined;
    let at: Step | undefined;
    try {
      for (at of pathOf(progress)) {
        refused = await this.step(at, call, progress);
        if (refused === undefined) continue;
        refused = this.repeated(at, call, progress, refused) ?? refused;
        const { code } = refused;
        if (at.name === "limits" || code === "loop_detected" || code === "capacity") {
          this.crossed(call.entry, refused);
        }
        break;
      }
    } catch (error) {
      this.rooms.log.error({ err: error, call_id: call.call_id, step: at?.name }, "a step failed");
      refused = refusal("internal", { effect: effectAt(at, progress) });
    }
    return this.exit(call, progress, refused);
  }

  /** The loop that a refused call goes on with: whoever sends it again and again is told that. */
  private repeated(
    { name }: Step,
    { entry, args }: CallContext,
    { door }: Progress,
    refused: Refusal,
  ): Refusal | undefined {
    if (door === undefined || (name !== "arguments" && name !== "approval")) return undefined;
    return this.rooms.limits.refused(entry, { tool: door.tool, args }, refused);
  }

  /** Whether this client may put a question to its user whose answer counts. */
  mayAsk(entry: Entry): boolean {
    return isTrustedToAsk(this.rooms, entry);
  }

  /** A call of somebody who came in a while ago: from step 1 on, with what she has now. */
  async callAnew(entry: Entry, request: CallRequest): Promise<CallAnswer> {
    const { proof, agent } = entry.credential;
    const entered = await this.enter(proof, agent, entry.narrowing);
    if (entered.ok) return this.call(entered.value, request);
    await this.refuse(entry, entered.refusal);
    const call_id = uuidv7(this.rooms.clock.now());
    return { kind: "error", call_id, error: refusalToError(entered.refusal, call_id) };
  }

  /** Steps 2 to 5 alone: nothing is taken, asked, written, obtained or sent. */
  async dryRun(entry: Entry, request: CallRequest): Promise<DryRun> {
    const call = this.begin(entry, request);
    call.watch.leave();
    const progress: Progress = { attempts: [], steps: {}, bytes: 0 };
    for (const step of DRY) {
      const refused = await this.step(step, call, progress);
      if (refused === undefined) continue;
      const rule = progress.verdict?.rule ?? progress.door?.rule;
      const error = refusalToError(refused);
      return { allowed: false, tool: request.tool, error, ...(rule ? { rule } : {}) };
    }
    const { door, verdict } = progress;
    if (door === undefined || verdict === undefined) throw new Error("no door");
    const allowed = { allowed: true, tool: request.tool, rule: verdict.rule };
    if (door.tool.kind === "generated") return allowed;
    const connector = door.tool.connector.name;
    return {
      ...allowed,
      connector,
      // Of an MCP server's tool its name is all there is to say.
      origin: (door.tool.kind === "upstream" ? "" : originIn(this.rooms.config, connector)) ?? "",
      ...(progress.request === undefined ? {} : { request: progress.request }),
      scopes: door.tool.scopes,
    };
  }

  private begin(entry: Entry, request: CallRequest): CallContext {
    const { clock } = this.rooms;
    const call_id = uuidv7(clock.now());
    const span = startCallSpan(
      entry.surface.get(request.tool)?.tool.name ?? "(unknown)",
      parseTraceparent(request.traceparent),
    );
    const inner = this.innerOf(entry, call_id, () => formatTraceparent(span.context));
    return Object.freeze({
      ...request,
      call_id,
      entry,
      watch: this.rooms.alive.watch(entry, request.tool),
      span,
      started_ms: clock.monotonic(),
      inner,
    });
  }

  // What code inside a call reaches: the same path, from its first step on, once more for each.
  private innerOf(entry: Entry, parent: string, traceparent: () => string): Inner {
    return {
      tools: () =>
        innerSurface(judgedNow(this.rooms, entry).surface).doors.map(({ tool }) => ({
          name: tool.name,
          stopped: this.stopOn(tool) !== undefined,
        })),
      call: (tool, args, signal) => {
        const now = judgedNow(this.rooms, entry);
        const inside = { ...now, surface: innerSurface(now.surface) };
        const rest = { traceparent: traceparent(), idempotency_key: undefined, signal, parent };
        return this.call(inside, { tool, args, ...rest });
      },
    };
  }

  private async step(step: Step, call: CallContext, progress: Progress) {
    const { clock } = this.rooms;
    const started_ms = clock.monotonic();
    const refused = await step.run(this.rooms, call, progress);
    progress.steps[step.name] = rounded(clock.monotonic() - started_ms);
    return refused;
  }

  // The one door out. A call that was intended gets its outcome, whoever hung up meanwhile.
  private async exit(
    call: CallContext,
    progress: Progress,
    refused: Refusal | undefined,
  ): Promise<CallAnswer> {
    call.watch.leave();
    const said = refused ?? progress.first?.refusal;
    const failed = await this.record(call, progress, said);
    progress.lease?.end(progress.bytes, refused?.code);
    if (progress.intended !== true) progress.approved?.giveBack();
    const final = saidOfYes(progress, failed ?? said);
    leave(progress, final);
    if (final === undefined) this.remember(call, progress);
    this.noteShadow(call, progress);
    this.observe(call, progress, final);
    return answerOf(call, progress, final);
  }

  // Only of what the policy in force let pass: what it refuses itself is on record already.
  private noteShadow({ call_id, entry }: CallContext, { door, shadowed }: Progress): void {
    if (door === undefined || shadowed === undefined) return;
    const { issuer, subject, tenant = null } = entry.credential.principal;
    const { agent } = entry.session;
    const detail = { issuer, subject, tenant, call_id, agent, tool: door.tool.name, ...shadowed };
    const failed = (error: unknown): void => {
      this.rooms.log.error({ err: error, call_id }, "what the tried policy says is not recorded");
    };
    this.rooms.ledger.event("shadow", detail).catch(failed);
  }

  // What rules of later calls ask of this answer, which the session is about to have.
  private remember({ entry }: CallContext, { door, result }: Progress): void {
    if (door === undefined || result === undefined) return;
    const { policy, shadow, answers } = this.rooms;
    const { name } = door.tool;
    for (const source of [...policy().sourcesOf(name), ...(shadow()?.sourcesOf(name) ?? [])]) {
      answers.keep(entry, source.id, source.rowsOf(result));
    }
  }

  /** Why the answer may not leave: it is not on record. */
  private async record(
    call: CallContext,
    progress: Progress,
    refused: Refusal | undefined,
  ): Promise<Refusal | undefined> {
    const { ledger, log } = this.rooms;
    try {
      if (progress.intended === true) {
        await ledger.outcome(outcomeOf(this.rooms, call, progress, refused));
      } else if (progress.first !== undefined) {
        await ledger.intent(replayOf(this.rooms, call, progress, refused));
      } else if (refused !== undefined) {
        await ledger.refusal(refusalOf(this.rooms, call, progress, refused));
      }
      return undefined;
    } catch (error) {
      log.error({ err: error, call_id: call.call_id }, "the end of a call could not be recorded");
      if (progress.first !== undefined) return { ...unavailable(error), reason: KEPT };
      return progress.intended === true ? unrecorded(progress) : undefined;
    }
  }

  private observe(call: CallContext, progress: Progress, refused: Refusal | undefined): void {
    const { metrics, clock, log } = this.rooms;
    const outcome = refused === undefined ? "ok" : errorTable[refused.code].outcome;
    // A name that a stranger made up must not become a label.
    const tool = progress.door?.tool.name ?? "(unknown)";
    metrics.calls.add({ tool, outcome });
    metrics.call_seconds.observe({ tool }, (clock.monotonic() - call.started_ms) / 1000);
    for (const [step, ms] of Object.entries(progress.steps)) {
      metrics.step_seconds.observe({ step }, ms / 1000);
    }
    call.span.end(outcome, refused?.code);
    if (refused?.cause !== undefined) {
      const { code, cause } = refused;
      log.warn({ call_id: call.call_id, error_code: code, cause }, "a call was refused or failed");
    }
  }
}

const KEPT = "This call ran when it was first sent, and what it was answered is kept.";
