// `doctor`: what is wrong and how to mend it: the files, then everybody whom doorless talks to.
import { join, resolve } from "node:path";
import { boundOf, livenessOf } from "../config/liveness.ts";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/load.ts";
import { CORE_HELP, CORE_OPTIONS, defaultConfig, placeOf } from "./core.ts";
import { lookAtFiles } from "./doctor-files.ts";
import { lookAtPeers } from "./doctor-peers.ts";
import { lookAtCore } from "./doctor-core.ts";
import { fine, mistakesIn, show } from "./finding.ts";
import type { Finding } from "./finding.ts";
import { EXIT, print, printJson } from "./output.ts";
import { wordsOf } from "./verb.ts";
import type { Given, Verb } from "./verb.ts";

const CONFIGURATION = "configuration";

export const doctor: Verb = {
  name: "doctor",
  usage: "doctor [--offline]",
  summary: "what is wrong, and how to mend it; exit 1 where something is",
  help: [
    "--offline       looks at files only, and asks nobody",
    "exit code 2 where the configuration, the tools or the isolation stop a start",
    ...CORE_HELP,
  ],
  options: { ...CORE_OPTIONS, offline: { type: "boolean" } },
  async run(given) {
    wordsOf(doctor, given);
    const { config, mistakes } = read(fileOf(given));
    const findings = [...mistakes];
    if (config !== undefined) {
      if (mistakes.length === 0) findings.push(fine(CONFIGURATION, config.file));
      findings.push(...(await lookAtFiles(config)));
      if (!given.flag("offline")) {
        findings.push(...(await lookAtPeers(config)), await lookAtCore(config));
      }
    }
    const bad = findings.filter(({ state }) => state === "wrong").length;
    if (given.flag("json")) {
      printJson({ ok: bad === 0, liveness: config && livenessIn(config), findings });
    } else {
      show(findings);
      print(
        bad === 0 ? "nothing is wrong" : `${bad} ${bad === 1 ? "thing is" : "things are"} wrong`,
      );
    }
    if (findings.some(({ is_mistake }) => is_mistake === true)) return EXIT.usage;
    return bad === 0 ? EXIT.ok : EXIT.no;
  },
};

// As `placeOf`, but a file that does not load, or is not there, is what is looked for here.
function fileOf(given: Given): string {
  const data = given.text("data");
  const own = data === undefined ? defaultConfig() : join(resolve(data), "mcp.config.json");
  try {
    return placeOf(given).config ?? own;
  } catch {
    return given.text("config") ?? own;
  }
}

// Secrets that are missing here hide nothing else.
function read(file: string): { config: Config | undefined; mistakes: readonly Finding[] } {
  try {
    return { config: loadConfig(file, process.env), mistakes: [] };
  } catch (error) {
    const mistakes = mistakesIn(CONFIGURATION, error);
    try {
      return { config: loadConfig(file, process.env, { secrets: false }), mistakes };
    } catch {
      return { config: undefined, mistakes };
    }
  }
}

function livenessIn({ issuers }: Config): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(issuers).map(([name, issuer]) => [
      name,
      { source: livenessOf(issuer).source, bound_ms: boundOf(issuer) },
    ]),
  );
}
