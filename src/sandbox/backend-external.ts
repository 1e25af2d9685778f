// Level `external`: a command of the operator's that runs Node in a place of its own, such as a
// container without a network. It is given Node's arguments, and must make the stage readable at
// /stage; the probe holds it to all that `os` claims.
import { spawn } from "node:child_process";
import type { IsolationBackend } from "./backend.ts";
import { isolated } from "./backend-process.ts";
import { nodeArguments } from "./node-flags.ts";

const STAGE = "/stage";

/** `command` with `{stage}` where the host's folder belongs: `["docker", "run", …, "node"]`. */
export function createExternalBackend(command: readonly string[]): IsolationBackend {
  return {
    level: "external",
    // What the command uses is not what runs inside it.
    measured: false,
    spawn(spec) {
      const [program = "", ...args] = command.map((one) => one.replaceAll("{stage}", spec.folder));
      const all = [...args, ...nodeArguments(spec, STAGE)];
      // Container clients find their daemon by PATH and HOME; nothing else of ours goes along.
      const { PATH, HOME } = process.env;
      const env = {
        ...(PATH === undefined ? {} : { PATH }),
        ...(HOME === undefined ? {} : { HOME }),
      };
      return isolated(spawn(program, all, { env, stdio: "pipe" }), () => undefined);
    },
  };
}
