// Copies of the log on other systems: whole, in order, from where they were; and what one that
// hangs does to calls.
import { createServer } from "node:http";
import type { Server } from "node:http";
import { createServer as createTcpServer } from "node:net";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { buffer } from "node:stream/consumers";
import { readFileSync } from "node:fs";
import { describe, expect, onTestFinished } from "vitest";
import { systemClock } from "../../../src/kernel/clock.ts";
import { LedgerUnavailable } from "../../../src/ledger/room.ts";
import { segmentsOf } from "../../../src/ledger/segments.ts";
import { createHttpSink } from "../../../src/ledger/sink-http.ts";
import { createSyslogSink } from "../../../src/ledger/sink-syslog.ts";
import type { Lines, Sink, SinkPlace } from "../../../src/ledger/sink.ts";
import { testFolder } from "../../setup/minimal.ts";
import { verifies } from "../../verifies.ts";
import { call, inFolder, intent, linesOf, opened, textOf } from "./entries.ts";

/** Takes everything, or hangs, or says no; and knows what it was given. */
class Receiver implements Sink {
  readonly puts: Lines[] = [];
  mood: "takes" | "hangs" | "refuses" = "takes";
  private waiting: (() => void)[] = [];

  async put(lines: Lines): Promise<void> {
    if (this.mood === "refuses") throw new Error("not now");
    if (this.mood === "hangs") await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.puts.push({ ...lines, bytes: Buffer.from(lines.bytes) });
  }

  recover(): void {
    this.mood = "takes";
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  get text(): string {
    return this.puts.map(({ bytes }) => bytes.toString("utf8")).join("");
  }

  async has(seq: number): Promise<void> {
    while ((this.puts.at(-1)?.last ?? 0) < seq) await new Promise(setImmediate);
  }
}

function placeOf(sink: Sink, changes: Partial<SinkPlace> = {}): SinkPlace {
  return { name: "siem", sink, required: false, lag_ms_max: 10_000, ...changes };
}

describe("a sink", () => {
  verifies("ledger.sinks", "gets every line as it stands, in order, across segments", async () => {
    const receiver = new Receiver();
    const sinks = [placeOf(receiver)];
    const { ledger, folder } = await opened(testFolder(), { sinks, segment_bytes_max: 2000 });
    for (let i = 0; i < 10; i++) await call(ledger, `c${i}`);
    await receiver.has(20);
    await ledger.close();
    expect(segmentsOf(folder).length).toBeGreaterThan(2);
    expect(receiver.text).toBe(textOf(folder));
    let next = 1;
    for (const { first, last } of receiver.puts) {
      expect(first).toBe(next);
      next = last + 1;
    }
  });

  verifies("ledger.sinks", "goes on after a restart from where it was", async () => {
    const folder = testFolder();
    const cursors_folder = inFolder(testFolder(), "sinks");
    const first = new Receiver();
    const one = await opened(folder, { sinks: [placeOf(first)], cursors_folder });
    await call(one.ledger, "a");
    await first.has(2);
    first.mood = "refuses";
    await call(one.ledger, "b");
    await one.ledger.close();
    const second = new Receiver();
    const two = await opened(folder, { sinks: [placeOf(second)], cursors_folder });
    await call(two.ledger, "c");
    await second.has(6);
    await two.ledger.close();
    expect(second.puts[0]?.first).toBe(3);
    expect(first.text + second.text).toBe(textOf(folder));
  });

  verifies("ledger.sinks", "that is optional and hangs holds no call up", async () => {
    const receiver = new Receiver();
    receiver.mood = "hangs";
    const sinks = [placeOf(receiver)];
    const { ledger, clock, folder } = await opened(testFolder(), { sinks });
    await call(ledger, "a");
    clock.ms += 60_000;
    await call(ledger, "b");
    expect(ledger.healthy).toBe(true);
    const said = (): unknown[] => linesOf(folder).filter((line) => line["event"] === "sink");
    expect(said()).toMatchObject([{ detail: { name: "siem", behind: true } }]);
    receiver.recover();
    await receiver.has(5);
  });

  verifies(
    ["ledger.sinks", "ledger.no-sink-no-call"],
    "that is required and hangs stops new calls past its bound, until it has caught up",
    async () => {
      const receiver = new Receiver();
      receiver.mood = "hangs";
      const sinks = [placeOf(receiver, { required: true, lag_ms_max: 5000 })];
      const { ledger, clock, folder, fatal } = await opened(testFolder(), { sinks });
      await call(ledger, "a");
      clock.ms += 5000;
      await call(ledger, "b");
      clock.ms += 1;
      await expect(ledger.intent(intent("c"))).rejects.toBeInstanceOf(LedgerUnavailable);
      await expect(ledger.intent(intent("c"))).rejects.toMatchObject({ reason: "sink_behind" });
      await expect(ledger.intent(intent("c"))).rejects.toThrow(/required sink siem is behind/);
      expect(ledger.healthy).toBe(false);
      receiver.recover();
      await receiver.has(5);
      while (!ledger.healthy) await new Promise(setImmediate);
      await call(ledger, "d");
      expect(fatal).toEqual([]);
      await ledger.close();
      const intents = linesOf(folder).filter((line) => line["kind"] === "intent");
      expect(intents.map((line) => line["call_id"])).toEqual(["a", "b", "d"]);
      expect(receiver.text).toBe(textOf(folder));
    },
  );

  verifies("ledger.sinks", "keeps its cursor as its owner's alone", async () => {
    const receiver = new Receiver();
    const cursors_folder = inFolder(testFolder(), "sinks");
    const { ledger } = await opened(testFolder(), { sinks: [placeOf(receiver)], cursors_folder });
    await call(ledger, "a");
    await receiver.has(2);
    await ledger.close();
    const cursor = JSON.parse(readFileSync(`${cursors_folder}/siem.json`, "utf8")) as object;
    expect(cursor).toMatchObject({ copied_to: 2 });
  });
});

describe("over HTTP", () => {
  async function serve(answer: (request: { headers: object; body: Buffer }) => number) {
    const server: Server = createServer((req, res) => {
      void buffer(req).then((body) => {
        res.writeHead(answer({ headers: req.headers, body })).end();
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/lines`;
  }

  verifies("ledger.sinks", "the lines are the body, and the headers number them", async () => {
    const seen: { headers: object; body: Buffer }[] = [];
    const url = await serve((request) => {
      seen.push(request);
      return 204;
    });
    const sink = createHttpSink({ url, timeout_ms: 5000 });
    const bytes = Buffer.from('{"seq":7}\n{"seq":8}\n');
    await sink.put({ log_id: "l", bytes, first: 7, last: 8 });
    expect(seen[0]?.body.equals(bytes)).toBe(true);
    expect(seen[0]?.headers).toMatchObject({
      "content-type": "application/x-ndjson",
      "doorless-log": "l",
      "doorless-first": "7",
      "doorless-last": "8",
    });
  });

  for (const status of [302, 400, 500]) {
    verifies("ledger.sinks", `a ${status} is no`, async () => {
      const sink = createHttpSink({ url: await serve(() => status), timeout_ms: 5000 });
      const lines = { log_id: "l", bytes: Buffer.from("{}\n"), first: 1, last: 1 };
      await expect(sink.put(lines)).rejects.toThrow(`answered ${status}`);
    });
  }
});

verifies("ledger.sinks", "over syslog each line is a message with its length", async () => {
  const got: Promise<Buffer>[] = [];
  const server = createTcpServer((socket) => void got.push(buffer(socket)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const sink = createSyslogSink({ host: "127.0.0.1", port, timeout_ms: 5000, clock: systemClock });
  const bytes = Buffer.from('{"seq":1,"user":"Zoë"}\n{"seq":2}\n');
  await sink.put({ log_id: "l", bytes, first: 1, last: 2 });
  let rest = (await got[0]) ?? Buffer.alloc(0);
  const messages: string[] = [];
  while (rest.length > 0) {
    const space = rest.indexOf(" ");
    const size = Number(rest.toString("utf8", 0, space));
    messages.push(rest.toString("utf8", space + 1, space + 1 + size));
    rest = rest.subarray(space + 1 + size);
  }
  expect(messages.map((message) => message.replace(/^.* record - /, ""))).toEqual([
    '{"seq":1,"user":"Zoë"}',
    '{"seq":2}',
  ]);
});
