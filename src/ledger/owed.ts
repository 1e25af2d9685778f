// Events of what holds already, whatever becomes of its record: an operator's stop on a full disk.
// They are written in their order, as soon as there is room.
import type { LedgerEvent } from "./events.ts";

export class Owed {
  private readonly events: LedgerEvent[] = [];
  private readonly append: (event: LedgerEvent) => Promise<void>;
  private writing: Promise<void> = Promise.resolve();

  constructor(append: (event: LedgerEvent) => Promise<void>) {
    this.append = append;
  }

  get isOwing(): boolean {
    return this.events.length > 0;
  }

  /** Whether it is durable now, and with it all before it. */
  async add(event: LedgerEvent): Promise<boolean> {
    this.events.push(event);
    await this.write();
    return !this.events.includes(event);
  }

  /** Tries what is owed; never rejects. */
  write(): Promise<void> {
    this.writing = this.writing.then(() => this.writeAll()).catch(() => undefined);
    return this.writing;
  }

  private async writeAll(): Promise<void> {
    for (let next = this.events[0]; next !== undefined; next = this.events[0]) {
      await this.append(next);
      this.events.shift();
    }
  }
}
