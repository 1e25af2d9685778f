// A sink that sends each line of the log to a syslog collector, over TCP: UDP is never told of a
// loss, and could keep no cursor.
import type { Clock } from "../kernel/clock.ts";
import { sendStream, syslogMessage } from "./anchor-syslog.ts";
import type { Sink } from "./sink.ts";

export interface SyslogSinkOptions {
  readonly host: string;
  readonly port: number;
  readonly timeout_ms: number;
  readonly clock: Clock;
}

/** `put` resolves when the collector has closed its side after ours, so has read to the end. */
export function createSyslogSink(options: SyslogSinkOptions): Sink {
  return {
    put({ bytes }) {
      const now_ms = options.clock.now();
      const lines = bytes.toString("utf8").trimEnd().split("\n");
      const messages = lines.map((line) => {
        const message = syslogMessage(line, now_ms, "record");
        return `${Buffer.byteLength(message)} ${message}`;
      });
      return sendStream(messages.join(""), options);
    },
  };
}
