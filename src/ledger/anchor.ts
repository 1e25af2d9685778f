// Anchors: checkpoints leave this machine, so that cutting the log's tail together with its own
// checkpoints shows. One port, three ways out; and what pushes to them beside the calls' way.
import type { Clock } from "../kernel/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import { framedNotesIn } from "./checkpoint-log.ts";
import { parseCheckpoint } from "./checkpoint.ts";

export interface Anchor {
  /** Names it in states, logs and records; holds no credential. */
  readonly name: string;
  /** Resolves when the receiver has it, as far as its protocol can tell; else rejects. */
  put(checkpoint: string): Promise<void>;
}

export interface AnchorState {
  readonly name: string;
  /** Size of the newest checkpoint that it took since the start. */
  readonly anchored_size: number | undefined;
  /** Wall-clock milliseconds of the first failure since it last took one. */
  readonly failing_since: number | undefined;
}

export interface AnchoringOptions {
  readonly anchors: readonly Anchor[];
  readonly clock: Clock;
  readonly log: Logger;
  /** Told when an anchor begins to fail, and when it takes a checkpoint again. */
  readonly onChange?: (state: AnchorState) => void;
}

export interface Anchoring {
  /** A durable checkpoint, newer than those before. Returns at once; what is older is skipped. */
  push(checkpoint: string): void;
  states(): AnchorState[];
  /** Stops; an anchor that is behind is tried once more, and waited for only so long. */
  close(): Promise<void>;
}

const RETRY_MS_FIRST = 1000;
const RETRY_MS_MAX = 60_000;
const HANGS_AFTER_MS = 15_000;

/** Hands each anchor the newest checkpoint, again and again until it is taken. */
export function createAnchoring(options: AnchoringOptions): Anchoring {
  const pushers = options.anchors.map((anchor) => new Pusher(anchor, options));
  return {
    push(checkpoint) {
      const { size } = parseCheckpoint(checkpoint);
      for (const pusher of pushers) pusher.offer({ checkpoint, size });
    },
    states: () => pushers.map((pusher) => pusher.state),
    async close() {
      await Promise.all(pushers.map((pusher) => pusher.close()));
    },
  };
}

interface Offer {
  readonly checkpoint: string;
  readonly size: number;
}

class Pusher {
  private readonly anchor: Anchor;
  private readonly options: AnchoringOptions;
  private newest: Offer | undefined;
  private taken: Offer | undefined;
  private failing_since: number | undefined;
  private running: Promise<void> | undefined;
  private retry: NodeJS.Timeout | undefined;
  private retry_ms = RETRY_MS_FIRST;
  private closing = false;

  constructor(anchor: Anchor, options: AnchoringOptions) {
    this.anchor = anchor;
    this.options = options;
  }

  get state(): AnchorState {
    const { failing_since } = this;
    return { name: this.anchor.name, anchored_size: this.taken?.size, failing_since };
  }

  offer(offer: Offer): void {
    if (this.closing) return;
    this.newest = offer;
    // In a back-off the timer takes what is newest then.
    if (this.retry === undefined) this.running ??= this.run();
  }

  async close(): Promise<void> {
    this.closing = true;
    clearTimeout(this.retry);
    const { promise: enough, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, HANGS_AFTER_MS);
    await Promise.race([this.last(), enough]);
    clearTimeout(timer);
  }

  private async last(): Promise<void> {
    await this.running;
    if (this.newest !== this.taken) await this.run();
  }

  private async run(): Promise<void> {
    this.retry = undefined;
    let offer = this.newest;
    while (offer !== undefined && offer !== this.taken && (await this.put(offer))) {
      offer = this.newest;
    }
    this.running = undefined;
  }

  // One at a time: an anchor that hangs is said to fail, but is not asked again meanwhile. Hung
  // file writes would fill the thread pool that the log itself writes with.
  private async put(offer: Offer): Promise<boolean> {
    const began = this.options.clock.now();
    const hung = new Error(`has not answered for ${HANGS_AFTER_MS} ms`);
    const watch = setTimeout(() => this.failed(began, hung), HANGS_AFTER_MS).unref();
    try {
      await this.anchor.put(offer.checkpoint);
    } catch (error) {
      this.failed(began, error);
      if (!this.closing) {
        const again = (): void => void (this.running = this.run());
        this.retry = setTimeout(again, this.retry_ms).unref();
        this.retry_ms = Math.min(this.retry_ms * 2, RETRY_MS_MAX);
      }
      return false;
    } finally {
      clearTimeout(watch);
    }
    this.succeeded(offer);
    return true;
  }

  private failed(since: number, err: unknown): void {
    if (this.failing_since !== undefined) return;
    this.failing_since = since;
    this.options.log.error({ err, anchor: this.anchor.name }, "an anchor takes no checkpoints");
    this.options.onChange?.(this.state);
  }

  private succeeded(offer: Offer): void {
    const failed = this.failing_since !== undefined;
    this.taken = offer;
    this.failing_since = undefined;
    this.retry_ms = RETRY_MS_FIRST;
    if (!failed) return;
    this.options.log.info({ anchor: this.anchor.name }, "the anchor takes checkpoints again");
    this.options.onChange?.(this.state);
  }
}

/** The one-line form, for receivers that keep lines: plain ASCII, so that none needs UTF-8. */
export function anchorLine(checkpoint: string): string {
  const ascii = JSON.stringify({ checkpoint }).replaceAll(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return ascii;
}

const LINES = /\{"checkpoint":"(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"\}/gu;

const BEGINS = /(?<=\n)(?=doorless\/ledger\/[^\n]+\n\d+\n)/;

/**
 * The checkpoints in what an anchor kept: the file of a file anchor, notes as they were posted, one
 * after the other, or lines with the one-line form anywhere in them. What is no checkpoint is
 * skipped: a torn write there says nothing of the log.
 */
export function anchoredNotesIn(text: string): string[] {
  const { notes, rest } = framedNotesIn(text);
  const posted = [...notes.map(({ note }) => note), rest].flatMap((part) => part.split(BEGINS));
  const lines = text.match(LINES) ?? [];
  const found = [...posted.map((note) => `${note.trimEnd()}\n`), ...lines.map(lineNote)];
  return found.filter(isCheckpoint);
}

function lineNote(line: string): string {
  return (JSON.parse(line) as { checkpoint: string }).checkpoint;
}

function isCheckpoint(note: string): boolean {
  try {
    parseCheckpoint(note);
    return true;
  } catch {
    return false;
  }
}
