// What could not be read, each once.
import { lineOf } from "./ast.ts";
import type { Node, Source } from "./ast.ts";
import { UNREAD } from "./reason.ts";
import type { Unread, UnreadReason } from "./reason.ts";

const SAID_MAX = 5000;
const DETAIL_MAX = 200;

export class Said {
  private readonly all = new Map<string, Unread>();
  private missed = 0;

  say(reason: UnreadReason, source: Source, node: Node, detail: string): void {
    this.sayOf(reason, { file: source.file, line: lineOf(source, node) }, detail);
  }

  sayOf(reason: UnreadReason, { file, line }: Pick<Unread, "file" | "line">, detail: string): void {
    const end = detail === "" ? "" : `: ${detail.slice(0, DETAIL_MAX)}`;
    const one: Unread = { file, line, reason, message: `${UNREAD[reason]}${end}` };
    const key = `${file}:${line} ${reason} ${one.message}`;
    if (this.all.has(key)) return;
    if (this.all.size < SAID_MAX) this.all.set(key, one);
    else this.missed += 1;
  }

  /** In the order of files and lines. */
  get list(): readonly Unread[] {
    const all = [...this.all.values()].toSorted((a, b) =>
      a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line,
    );
    if (this.missed === 0) return all;
    const message = `${UNREAD.too_many_steps}: and ${this.missed} more places`;
    return [...all, { file: "", line: 0, reason: "too_many_steps", message }];
  }
}
