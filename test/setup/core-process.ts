// A child program: one core, as `start` runs it, before the demo's provider, which `start` refuses.
// Speaks with its parent over the channel of `fork`: what it is asked, and what it met.
// `core-process.ts CONFIG [STUCK]`; STUCK as in stuck-disk.ts.
import { loadConfig } from "../../src/config/load.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { startCore } from "../../src/main.ts";
import { createLogger } from "../../src/telemetry/log.ts";
import { serveParent, tell } from "./child-side.ts";
import { stuckDisk } from "./stuck-disk.ts";

const [file = "", stuck = ""] = process.argv.slice(2);
const log = createLogger(process.env["DOORLESS_LOG"] ?? "warn");

const core = await startCore({
  config: loadConfig(file, {}),
  clock: systemClock,
  log,
  allow_demo: true,
  onFatal: (error) => {
    log.fatal({ err: error }, "the audit log cannot be written");
    tell({ fatal: String(error) });
  },
  ...(stuck === "" ? {} : { openSegment: stuckDisk(stuck) }),
});
serveParent({ stop: () => core.stop() });
tell({ ready: true, port: core.port });
