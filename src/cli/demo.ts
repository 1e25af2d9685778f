// `demo`, `demo token`, `demo set`: the whole world on loopback.
import { resolve } from "node:path";
import { askLocal, LocalError, NotRunning } from "../console/local.ts";
import { createLogger } from "../telemetry/log.ts";
import { demoText } from "./demo-text.ts";
import { startDemo } from "./demo-world.ts";
import { EXIT, note, print, printJson, Stop } from "./output.ts";
import { untilAsked } from "./signals.ts";
import { wholeOf, wordsOf } from "./verb.ts";
import type { Given, Verb } from "./verb.ts";

const PORT = 8484;
const DATA = ".doorless/demo";
const TOKEN_TTL_S_MAX = 28_800;

export const demo: Verb = {
  name: "demo",
  usage: "demo [--port N] [--data DIR]",
  summary: "the whole world on loopback: identity provider, small SaaS, doorless",
  help: [
    `--port N        doorless's; the others follow (default ${PORT}; 0: free ones, as before)`,
    `--data DIR      kept between runs (default ${DATA})`,
  ],
  json: "one line when ready",
  options: { port: { type: "string" }, data: { type: "string" } },
  async run(given) {
    wordsOf(demo, given);
    const port = wholeOf(demo, "--port", given.text("port") ?? String(PORT), 0, 65_532);
    const log = createLogger(process.env["DOORLESS_LOG"] ?? "warn");
    const fatal = Promise.withResolvers<string>();
    const onFatal = (error: unknown): void => {
      log.fatal({ err: error }, "the audit log cannot be written: stopping");
      fatal.resolve("audit log failure");
    };
    // Before anything listens: a signal that comes early must still end it in order.
    const asked = untilAsked();
    const running = await startDemo({ port, data: given.text("data") ?? DATA, log, onFatal });
    const { kept_config } = running;
    if (kept_config !== undefined) {
      note(`${kept_config} was changed, and is kept; remove it to have the example again`);
    }
    if (given.flag("json")) printJson(running.ready);
    else print(demoText(running));
    const why = await Promise.race([asked, fatal.promise]);
    note(`stopping: ${why}`);
    await running.stop();
    return why === "audit log failure" ? EXIT.no : EXIT.ok;
  },
};

const DATA_OPTION = { data: { type: "string" } } as const;
const DATA_HELP = `--data DIR      of the running demo (default ${DATA})`;

async function askDemo(given: Given, path: string, body: object): Promise<unknown> {
  const data = resolve(given.text("data") ?? DATA);
  try {
    return await askLocal(data, "demo", path, body);
  } catch (error) {
    if (error instanceof NotRunning) {
      throw new Stop(EXIT.unreachable, `no demo runs in ${data}; start it with \`doorless demo\``);
    }
    if (error instanceof LocalError) throw new Stop(EXIT.usage, error.message);
    throw error;
  }
}

export const demoToken: Verb = {
  name: "demo token",
  usage: "demo token PERSON AGENT [--data DIR] [--ttl S]",
  summary: "an access token from the running demo, for scripts",
  help: [DATA_HELP, `--ttl S         seconds it lives (default 3600, at most ${TOKEN_TTL_S_MAX})`],
  options: { ...DATA_OPTION, ttl: { type: "string" } },
  async run(given) {
    const [person, agent] = wordsOf(demoToken, given, "PERSON", "AGENT");
    const ttl_s = wholeOf(demoToken, "--ttl", given.text("ttl") ?? "3600", 1, TOKEN_TTL_S_MAX);
    const answer = await askDemo(given, "/token", { person, agent, ttl_s });
    const { token } = answer as { token: string };
    // The one verb that prints a token: scripts take it from stdout.
    if (given.flag("json")) printJson({ token });
    else print(token);
    return EXIT.ok;
  },
};

export const demoSet: Verb = {
  name: "demo set",
  usage: "demo set LEVER [--data DIR]",
  summary: "pull a lever of the running demo's world",
  help: [
    "revoke:PERSON   restore:PERSON: her access, at the identity provider",
    "contract:2      contract:1: the SaaS changes its API, and back",
    "api:down        api:up: the SaaS is out of order, and back",
    "idp:down        idp:up: the identity provider is, and back",
    DATA_HELP,
  ],
  options: DATA_OPTION,
  async run(given) {
    const [name] = wordsOf(demoSet, given, "LEVER");
    await askDemo(given, "/set", { name });
    if (given.flag("json")) printJson({ set: name });
    return EXIT.ok;
  },
};
