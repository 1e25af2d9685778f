// The scheduled check: where the configuration names a connector's document, it is looked at again
// and again, and what breaks a tool stops that tool. Nothing is ever adopted by itself.
import type { Clock } from "../kernel/clock.ts";
import type { UpstreamDefinition, UpstreamEndpoint, UpstreamSeen } from "../contract/upstream.ts";
import { connectorOf } from "./definition.ts";
import type { Catalog, ToolDefinition } from "./definition.ts";
import { fingerprint } from "../kernel/ids.ts";
import { contractsOf, judgeContracts, unverified } from "./drift.ts";
import type { Contract, Verdict, Where } from "./drift.ts";
import { judgeInThread } from "./drift-thread.ts";
import { readLock } from "./lock.ts";
import { digestAt } from "./openapi/source.ts";
import { noticed } from "./notices.ts";
import type { Notices } from "./notices.ts";
import { stopping } from "./suspensions.ts";
import type { Suspensions } from "./suspensions.ts";
import { asApproved, judgeListed, unlisted, upstreamsOf } from "./upstream/drift.ts";
import type { UpstreamWatched } from "./upstream/drift.ts";

const DAY_MS = 86_400_000;
/** An announced end passes at some time between two looks. */
const HOUR_MS = 3_600_000;
// Understanding a smaller one takes little time, even where somebody wrote it to take long.
const IN_PLACE_BYTES_MAX = 32_768;
const RULES_RECORDED_MAX = 50;

/** What a verdict depends on, besides the document. */
function facts({ tool, read_only, slice, accepted, use, projection }: Contract): unknown {
  const { sends = [], needs = [], follows = [] } = use;
  const uses = [[...sends], [...needs], [...follows], [...projection.keys()]];
  return [tool, read_only, fingerprint(slice), accepted, ...uses];
}

interface Noted {
  readonly tool: string;
  readonly connector: string;
  readonly state: string;
  readonly severity: string | null;
  readonly rules: readonly object[];
}

interface News {
  readonly detail: Noted;
  /** The same, to be compared. */
  readonly text: string;
  readonly why: string | undefined;
}

interface Told {
  warn(detail: object, text: string): void;
  info(detail: object, text: string): void;
}

/** What an MCP server lists for nobody in particular; or why nobody can say. */
type Listing =
  | { readonly endpoint: UpstreamEndpoint; readonly tools: readonly UpstreamDefinition[] }
  | {
      readonly why: string;
      /** It says nothing without a token: each session's own look has to do. */
      readonly closed: boolean;
    };

export interface DriftWatchOptions {
  readonly clock: Clock;
  readonly log: Told;
  readonly suspensions: Suspensions;
  readonly notices: Notices;
  readonly catalog: () => Catalog;
  readonly where: Where;
  /** Connector -> how often its document is looked at. */
  readonly every_s: ReadonlyMap<string, number>;
  /** Asks the MCP server of a connector, without any credential. Never rejects. */
  readonly list: (connector: string, signal: AbortSignal) => Promise<Listing>;
  /** Puts on record what is different; rejects where it cannot. */
  readonly record: (detail: Noted) => Promise<void>;
  readonly toolsChanged: () => void;
}

export class DriftWatch {
  private readonly options: DriftWatchOptions;
  private readonly ending = new AbortController();
  private readonly timers: NodeJS.Timeout[];
  /** The last verdict of each tool that is watched, and as it was put on record. */
  private readonly verdicts = new Map<string, Verdict>();
  private readonly recorded = new Map<string, string>();
  /** By document: of which state of it, and of the contracts, the verdicts are. */
  private readonly judged = new Map<string, string>();
  private running: Promise<void> = Promise.resolve();
  /** Intervals whose look is due and has not begun: servers that hang make no queue of them. */
  private readonly wanted = new Set<number | undefined>();
  /** Tools of which answers have said something. */
  private readonly noticed = new Set<string>();
  /** Servers that list nothing without a token. */
  private readonly closed = new Set<string>();
  /** By connector: how often a session has told what its server lists. */
  private readonly heard = new Map<string, number>();

  constructor(options: DriftWatchOptions) {
    this.options = options;
    this.timers = [...new Set(options.every_s.values())].map((every_s) =>
      setInterval(() => this.soon(every_s), every_s * 1000).unref(),
    );
    this.timers.push(setInterval(() => void this.hear(), HOUR_MS).unref());
    options.notices.onNews((error) => {
      if (error !== undefined) options.log.warn({ err: error }, "what an API said is not kept");
      void this.hear();
    });
    void this.check();
  }

  /** Looks now, at those of one interval or at all; one look after the other. Never rejects. */
  check(every_s?: number): Promise<void> {
    this.running = this.running
      .then(() => {
        this.wanted.delete(every_s);
        return this.look(every_s);
      })
      .catch((error: unknown) => {
        if (this.ending.signal.aborted) return;
        this.options.log.warn({ err: error }, "the contracts could not be checked");
      });
    return this.running;
  }

  /** Waits for no document: a look that is under way finds that it is over, and says nothing. */
  close(): void {
    this.timers.forEach(clearInterval);
    this.ending.abort();
  }

  private async look(interval_s: number | undefined): Promise<void> {
    const { clock, catalog, where, every_s } = this.options;
    if (this.ending.signal.aborted) return;
    const lock = readLock(where.tools_dir);
    const served = catalog();
    const watched = contractsOf(served, lock, where, clock.now()).filter((one) =>
      every_s.has(one.connector),
    );
    const due = watched.filter(
      ({ connector }) => interval_s === undefined || every_s.get(connector) === interval_s,
    );
    const made: Verdict[] = [];
    for (const [from, group] of Map.groupBy(due, (one) => one.from)) {
      made.push(...(await this.judge(from, group)));
    }
    const upstreams = upstreamsOf(served, lock);
    made.push(...(await this.lookAtServers(upstreams, interval_s)));
    if (this.ending.signal.aborted) return;
    this.keep([...watched, ...upstreams], made);
    this.options.notices.keepOnly(served);
    const isAway = (tool: string): boolean =>
      served.absent.has(tool) || served.drafts.includes(tool);
    await this.settle(isAway);
  }

  /**
   * What a server lists for one of our sessions: whatever is different is so for everybody.
   * Resolves with what this list is for each tool in it, whatever others are shown.
   */
  async take(
    connector: string,
    endpoint: UpstreamEndpoint,
    listed: readonly UpstreamDefinition[],
  ): Promise<ReadonlyMap<string, UpstreamSeen>> {
    const { catalog, where } = this.options;
    const served = catalog();
    const mine = upstreamsOf(served, readLock(where.tools_dir)).filter(
      (one) => one.connector === connector,
    );
    this.heard.set(connector, (this.heard.get(connector) ?? 0) + 1);
    // That she has a tool less may be about her: a server may show each user others.
    const made = judgeListed(mine, endpoint, listed).filter((one) => one.listed !== undefined);
    if (made.length < mine.length && !this.closed.has(connector)) this.lookAgain(connector);
    for (const verdict of made) this.verdicts.set(verdict.tool, verdict);
    await this.hear();
    const pins = new Map(mine.map(({ tool, pin }) => [tool, pin.hashes.definition]));
    const seen = (one: Verdict): UpstreamSeen => {
      return { pinned: pins.get(one.tool) ?? "", rules: stopping(one).map(({ rule }) => rule) };
    };
    return new Map(made.map((one) => [one.tool, seen(one)]));
  }

  /** The server says that its tools changed. */
  lookAgain(connector: string): void {
    this.soon(this.options.every_s.get(connector));
  }

  private soon(every_s: number | undefined): void {
    if (this.wanted.has(every_s)) return;
    this.wanted.add(every_s);
    void this.check(every_s);
  }

  /** Answers, or a server, have said something new. Never rejects. */
  async hear(): Promise<void> {
    try {
      // Of all other tools nothing is known here.
      await this.settle(() => true);
    } catch (error) {
      if (this.ending.signal.aborted) return;
      // What has to stop is stopped: the rest is tried again at the next look.
      this.options.log.warn({ err: error }, "what an API announced could not be recorded");
    }
  }

  private async settle(isAway: (tool: string) => boolean): Promise<void> {
    const { suspensions, toolsChanged } = this.options;
    const verdicts = this.withNotices();
    // A log that takes nothing keeps no broken tool running.
    const recorded = this.recordNews(this.news(verdicts));
    // It is heard below; until then nobody listens.
    recorded.catch(() => undefined);
    if (suspensions.take(verdicts, isAway)) toolsChanged();
    await recorded;
  }

  private async lookAtServers(
    watched: readonly UpstreamWatched[],
    interval_s: number | undefined,
  ): Promise<readonly Verdict[]> {
    const { every_s, list, suspensions } = this.options;
    const made: Verdict[] = [];
    for (const [connector, group] of Map.groupBy(watched, (one) => one.connector)) {
      const isDue = interval_s === undefined || every_s.get(connector) === interval_s;
      if (!isDue || (interval_s !== undefined && this.closed.has(connector))) continue;
      const before = this.heard.get(connector);
      const listing = await list(connector, this.ending.signal);
      // What a session has seen meanwhile is newer.
      if (this.heard.get(connector) !== before) continue;
      if ("tools" in listing) {
        this.closed.delete(connector);
        made.push(...judgeListed(group, listing.endpoint, listing.tools));
        continue;
      }
      if (listing.closed) this.closed.add(connector);
      const isApproved = ({ tool, pin }: UpstreamWatched): boolean =>
        suspensions.seen(tool) === pin.hashes.definition;
      made.push(
        ...group.map((one) => (isApproved(one) ? asApproved(one) : unlisted(one, listing.why))),
      );
    }
    return made;
  }

  // Nothing is understood again that was understood before; once a day it is, since a document may
  // have parts in other files. Of a tool that was away there is no verdict.
  private async judge(from: string, group: readonly Contract[]): Promise<readonly Verdict[]> {
    const now_ms = this.options.clock.now();
    const { signal } = this.ending;
    const allow_private = group.every((one) => one.allow_private);
    try {
      const { sha256, size } = await digestAt(from, { allow_private, progress: () => undefined });
      const state = fingerprint([sha256, group.map(facts), Math.floor(now_ms / DAY_MS)]);
      const isKnown = group.every(({ tool }) => this.verdicts.has(tool));
      if (isKnown && this.judged.get(from) === state) return [];
      const made = await (size > IN_PLACE_BYTES_MAX
        ? judgeInThread(group, now_ms, signal)
        : judgeContracts(group, now_ms));
      // It was fetched once more for that: while an API is deployed, two states take turns.
      if (made.every(({ slice }) => slice?.source.sha256 === sha256)) this.judged.set(from, state);
      else this.judged.delete(from);
      return made;
    } catch (error) {
      this.judged.delete(from);
      return group.map((contract) => unverified(contract, (error as Error).message));
    }
  }

  private keep(watched: readonly Pick<Verdict, "tool">[], made: readonly Verdict[]): void {
    const names = new Set(watched.map(({ tool }) => tool));
    for (const tool of this.verdicts.keys()) if (!names.has(tool)) this.verdicts.delete(tool);
    for (const verdict of made) this.verdicts.set(verdict.tool, verdict);
  }

  private withNotices(): readonly Verdict[] {
    const { catalog, where, notices } = this.options;
    const lock = readLock(where.tools_dir);
    return [...catalog().tools.values()].flatMap((tool) => {
      const verdict = this.verdicts.get(tool.name) ?? this.notYet(tool);
      const found = notices.findingsOf(tool);
      if (found.length === 0 && this.verdicts.has(tool.name)) return verdict ?? [];
      // That an API says no more what it said is news, too.
      if (found.length === 0 && !this.noticed.has(tool.name)) return [];
      if (found.length === 0) this.noticed.delete(tool.name);
      else this.noticed.add(tool.name);
      return [noticed(tool, found, verdict, lock)];
    });
  }

  /** Of a tool that is watched and was not looked at: what stopped it may still hold. */
  private notYet(tool: ToolDefinition): Verdict | undefined {
    const connector = connectorOf(tool)?.name ?? "";
    const isWatched = this.options.every_s.has(connector) && "pin" in tool;
    if (!isWatched) return undefined;
    return unverified({ tool: tool.name, connector, read_only: tool.effects.readOnly }, "not yet");
  }

  /** What is not on record as it is now. That a tool is what it was to be is no news at first. */
  private news(verdicts: readonly Verdict[]): readonly News[] {
    const { suspensions } = this.options;
    return verdicts.flatMap(({ tool, connector, state, severity, findings, why }) => {
      const rules = findings.slice(0, RULES_RECORDED_MAX).map((one) => ({
        rule: one.rule,
        severity: one.severity,
        pointer: one.pointer,
        fingerprint: one.fingerprint,
        accepted: one.accepted,
      }));
      const detail = { tool, connector, state, severity: severity ?? null, rules };
      const text = JSON.stringify(detail);
      const last = this.recorded.get(tool);
      if (last === text) return [];
      const isNone = state === "same" && last === undefined && !suspensions.has(tool);
      if (!isNone) return [{ detail, text, why }];
      this.recorded.set(tool, text);
      return [];
    });
  }

  /** What one record was refused for is told when all were tried; it is news at the next look. */
  private async recordNews(news: readonly News[]): Promise<void> {
    const { log, record } = this.options;
    const refused: unknown[] = [];
    for (const { detail, text, why } of news) {
      const said = { ...detail, ...(why === undefined ? {} : { why }) };
      if (detail.state === "same" || detail.severity === "info") {
        log.info(said, "a contract is as it should be");
      } else log.warn(said, "an API is not, or not known to be, what a tool was approved for");
      // Two looks at once see the same news.
      const last = this.recorded.get(detail.tool);
      this.recorded.set(detail.tool, text);
      try {
        await record(detail);
      } catch (error) {
        if (last === undefined) this.recorded.delete(detail.tool);
        else this.recorded.set(detail.tool, last);
        refused.push(error);
      }
    }
    if (refused.length > 0) throw refused[0];
  }
}
