// The SDK's bus tells every open stream of every change. Here each stream is known by the entry
// that opened it, and hears only of what concerns it: others' changes are not its business.
import { AsyncLocalStorage } from "node:async_hooks";
import type { ServerEvent, ServerEventBus } from "@modelcontextprotocol/server";
import type { Entry } from "../gate/call.ts";

type Listener = (event: ServerEvent) => void;

export class ConcernedBus implements ServerEventBus {
  private readonly opening = new AsyncLocalStorage<Entry>();
  private readonly listeners = new Map<Listener, Entry | undefined>();

  /** Whatever subscribes during this request is this entry's. */
  as<T>(entry: Entry, request: () => T): T {
    return this.opening.run(entry, request);
  }

  subscribe(listener: Listener): () => void {
    this.listeners.set(listener, this.opening.getStore());
    return () => this.listeners.delete(listener);
  }

  /** The SDK's own way, to everybody. */
  publish(event: ServerEvent): void {
    this.tell(event, () => true);
  }

  tell(event: ServerEvent, concerns: (entry: Entry) => boolean): void {
    for (const [listener, entry] of this.listeners) {
      // A stream of which nobody knows whose it is hears of everything.
      if (entry === undefined || concerns(entry)) listener(event);
    }
  }
}
