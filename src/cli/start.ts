// `start`: serves HTTP from mcp.config.json.
import { livenessText } from "../config/liveness.ts";
import { loadConfig } from "../config/load.ts";
import { ConfigError } from "../config/problem.ts";
import { isLoopback } from "../kernel/address.ts";
import { systemClock } from "../kernel/clock.ts";
import { startCore } from "../main.ts";
import { createLogger } from "../telemetry/log.ts";
import { defaultConfig } from "./core.ts";
import { EXIT, note, Stop } from "./output.ts";
import { watchPolicy, watchTools } from "./watch.ts";
import { untilAsked } from "./signals.ts";
import { wordsOf } from "./verb.ts";
import type { Verb } from "./verb.ts";

export const start: Verb = {
  name: "start",
  usage: "start [--config FILE] [--watch] [--while-attached]",
  summary: "serve MCP over HTTP from mcp.config.json",
  help: [
    "--config FILE   the configuration (default: ./mcp.config.json)",
    "--while-attached  stop after the last stdio client of this machine has gone",
    "--watch         reload tools when their files change, unapproved ones too; on loopback only",
  ],
  json: null,
  options: {
    config: { type: "string" },
    watch: { type: "boolean" },
    "while-attached": { type: "boolean" },
  },
  async run(given) {
    wordsOf(start, given);
    const config = loadConfig(given.text("config") ?? defaultConfig(), process.env);
    for (const [name, issuer] of Object.entries(config.issuers)) {
      if (issuer.demo !== true) continue;
      const pointer = `/issuers/${name}/demo`;
      const message = "this is the demo's provider, which signs anybody in as anybody";
      const mend = "run `doorless demo`, or name your own identity provider";
      throw new ConfigError([{ file: config.file, pointer, message, mend }]);
    }
    const watch = given.flag("watch");
    if (watch && !isLoopback(config.listen.host)) {
      throw new Stop(
        EXIT.usage,
        "--watch loads what nobody approved: it is for their author, on loopback only",
      );
    }
    const log = createLogger(process.env["DOORLESS_LOG"] ?? "info");
    let broken = false;
    const fatal = Promise.withResolvers<string>();
    const watched = given.flag("while-attached") ? watchAttached() : NEVER_IDLE;
    const core = await startCore({
      config,
      clock: systemClock,
      log,
      allow_demo: false,
      for_author: watch,
      onAttached: watched.onAttached,
      onFatal(error) {
        broken = true;
        log.fatal({ err: error }, "the audit log cannot be written: stopping");
        fatal.resolve("audit log failure");
      },
    });
    note(`doorless serves ${config.public_url} (port ${core.port})`);
    for (const agent of Object.keys(config.agents)) note(`  ${config.public_url}/mcp/${agent}`);
    for (const [name, issuer] of Object.entries(config.issuers)) {
      note(`  revocation at ${name}: ${livenessText(issuer)}`);
    }
    const stopTools = watch ? watchTools(config.tools_dir, core) : () => undefined;
    const stopPolicy = watchPolicy(config, core);
    const why = await Promise.race([untilAsked(), fatal.promise, watched.idle]);
    note(`stopping: ${why}`);
    stopTools();
    stopPolicy();
    await core.stop();
    return broken ? EXIT.no : EXIT.ok;
  },
};

const FIRST_CLIENT_MS = 30_000;
const LAST_CLIENT_MS = 5000;
const NEVER_IDLE = { idle: new Promise<string>(() => undefined), onAttached: () => undefined };

/** `idle` resolves when nobody came, or nobody came back: an IDE restarts its servers at times. */
function watchAttached() {
  const { promise: idle, resolve } = Promise.withResolvers<string>();
  const soon = (ms: number): NodeJS.Timeout => setTimeout(() => resolve("no client is left"), ms);
  let timer = soon(FIRST_CLIENT_MS);
  return {
    idle,
    onAttached: (count: number): void => {
      clearTimeout(timer);
      if (count === 0) timer = soon(LAST_CLIENT_MS);
    },
  };
}
