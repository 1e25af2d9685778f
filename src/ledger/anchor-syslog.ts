// An anchor that sends each checkpoint to a syslog collector, as one line of ASCII.
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { hostname } from "node:os";
import type { Clock } from "../kernel/clock.ts";
import { anchorLine } from "./anchor.ts";
import type { Anchor } from "./anchor.ts";

export interface SyslogAnchorOptions {
  readonly host: string;
  readonly port: number;
  /** UDP is told nothing of a loss: choose it only where the collector has nothing else. */
  readonly transport: "tcp" | "udp";
  readonly clock: Clock;
  readonly timeout_ms?: number;
}

const TIMEOUT_MS = 10_000;
/** Facility 13 (log audit), severity 5 (notice). */
const PRIORITY = 13 * 8 + 5;

/**
 * Syslog has no acknowledgement. Over TCP `put` resolves when the collector has closed its side
 * after ours, so it has read to the end; over UDP, when the datagram has left.
 * @see [RFC 5424](https://www.rfc-editor.org/rfc/rfc5424.html) for the message,
 * @see [RFC 6587 section 3.4.1](https://www.rfc-editor.org/rfc/rfc6587.html#section-3.4.1) for
 * octet counting over TCP, @see [RFC 5426](https://www.rfc-editor.org/rfc/rfc5426.html) for UDP
 */
export function createSyslogAnchor(options: SyslogAnchorOptions): Anchor {
  const { host, port, transport, clock } = options;
  return {
    name: `syslog+${transport}:${host}:${port}`,
    put(checkpoint) {
      const message = syslogMessage(anchorLine(checkpoint), clock.now(), "checkpoint");
      if (transport === "udp") return sendDatagram(message, options);
      return sendStream(`${Buffer.byteLength(message)} ${message}`, options);
    },
  };
}

/** `<PRI>VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG`. */
export function syslogMessage(line: string, now_ms: number, kind: string): string {
  const host =
    hostname()
      .replaceAll(/[^\x21-\x7e]/g, "")
      .slice(0, 255) || "-";
  const time = new Date(now_ms).toISOString();
  return `<${PRIORITY}>1 ${time} ${host} doorless ${process.pid} ${kind} - ${line}`;
}

type Place = Pick<SyslogAnchorOptions, "host" | "port" | "timeout_ms">;

/** Octet-counted messages. Resolves when the other side has read to their end, and closed. */
export function sendStream(messages: string, options: Place): Promise<void> {
  const { host, port, timeout_ms = TIMEOUT_MS } = options;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({ host, port });
  const late = setTimeout(() => socket.destroy(new Error("the anchor did not answer")), timeout_ms);
  socket.on("error", reject);
  // Whatever the collector says is read away, or its end would never be seen.
  socket.resume();
  // After an error this changes nothing any more.
  socket.on("close", () => {
    clearTimeout(late);
    resolve();
  });
  socket.end(messages);
  return promise;
}

function sendDatagram(message: string, options: Place): Promise<void> {
  const { host, port, timeout_ms = TIMEOUT_MS } = options;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  // Resolving a host's name is what can take long here.
  const late = setTimeout(() => reject(new Error("the anchor was not found in time")), timeout_ms);
  socket.on("error", reject);
  socket.send(message, port, host, (error) => (error === null ? resolve() : reject(error)));
  return promise.finally(() => {
    clearTimeout(late);
    socket.close();
  });
}
