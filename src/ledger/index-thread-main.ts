// What runs in the index's thread: one question after the other, and names that it has to ask for,
// since it holds no keys.
import { parentPort, workerData } from "node:worker_threads";
import type { Ask, Failure, FromThread, ThreadData, ToThread } from "./index-thread.ts";
import { LogIndex } from "./log-index.ts";
import { AmbiguousUser } from "./query.ts";
import type { NamesOf } from "./query.ts";

const asked: ((names: readonly (string | undefined)[]) => void)[] = [];

const namesOf: NamesOf = (users) => {
  const { promise, resolve } = Promise.withResolvers<readonly (string | undefined)[]>();
  asked.push(resolve);
  say({ users });
  return promise;
};

const index = new LogIndex({
  ...(workerData as ThreadData),
  namesOf,
  onBehind: (error) => say({ behind: failureOf(error) }),
});

function say(message: FromThread): void {
  parentPort?.postMessage(message);
}

function failureOf(error: unknown): Failure {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  return { name, message, ...(error instanceof AmbiguousUser ? { people: error.people } : {}) };
}

function answerTo(ask: Ask): Promise<unknown> {
  switch (ask.verb) {
    case "query":
      return index.query(ask.given.filter, ask.given.reader);
    case "identities":
      return index.identities(ask.given);
    case "toolLog":
      return index.toolLog(ask.given);
    case "tenants":
      return index.tenants();
    case "forget":
      return index.forget(ask.given);
    case "linkVersion":
      return index.linkVersion(ask.given);
    case "tombstoneAt":
      return index.tombstoneAt(ask.given);
    case "drop":
      return index.drop(ask.given);
    case "orphans":
      return index.orphans();
    case "rebuild":
      return index.rebuild();
    case "close":
      return index.close();
  }
}

async function answer(ask: Ask): Promise<void> {
  try {
    say({ id: ask.id, value: await answerTo(ask) });
  } catch (error) {
    say({ id: ask.id, failure: failureOf(error) });
  }
}

parentPort?.on("message", (message: ToThread) => {
  if ("follow" in message) index.follow(message.follow);
  else if ("names" in message) asked.shift()?.(message.names);
  else void answer(message);
});
say({ held: index.held });
