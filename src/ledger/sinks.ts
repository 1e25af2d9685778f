// The sinks that the configuration names.
import type { Config } from "../config/load.ts";
import type { Clock } from "../kernel/clock.ts";
import { createHttpSink } from "./sink-http.ts";
import { createSyslogSink } from "./sink-syslog.ts";
import type { Sink, SinkPlace } from "./sink.ts";

export function createSinks(config: Config, clock: Clock): readonly SinkPlace[] {
  return Object.entries(config.ledger.sinks).map(([name, sink]) => {
    const { required, lag_ms_max } = sink;
    return { name, required, lag_ms_max, sink: sinkOf(config, name, clock) };
  });
}

function sinkOf(config: Config, name: string, clock: Clock): Sink {
  const sink = config.ledger.sinks[name];
  if (sink === undefined) throw new Error(`no sink ${name}`);
  if (sink.kind === "syslog") return createSyslogSink({ ...sink, clock });
  const { url, timeout_ms } = sink;
  const authorization = config.sink_secrets.get(name);
  return createHttpSink({
    url,
    timeout_ms,
    ...(authorization === undefined ? {} : { authorization }),
  });
}
