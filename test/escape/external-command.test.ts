// Level external: a command of the operator's carries the three pipes. A stand-in that jails is
// taken; one that does not is found out by the same probe.
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { loadCatalog, readManifests } from "../../src/catalog/load.ts";
import { openOwnSandbox, toolText } from "../setup/code.ts";
import { LEVELS } from "../setup/levels.ts";
import { catalogFolder, testFolder } from "../setup/minimal.ts";
import { verifies } from "../verifies.ts";

const skip = LEVELS.find(({ level }) => level === "os")?.skip;

function script(text: string): string {
  const file = join(testFolder(), "container");
  writeFileSync(file, `#!/bin/sh\n${text}`);
  chmodSync(file, 0o755);
  return file;
}

/** What a container's client would do, with what this machine has: own namespaces, no network. */
const CONTAINER = `
stage=$1; shift
libraries=$(ldd "${process.execPath}" | grep -o '/[^ ]*')
for library in $libraries; do binds="$binds --ro-bind $library $library"; done
exec bwrap --unshare-all --unshare-user --die-with-parent --as-pid-1 --clearenv --cap-drop ALL \\
  $binds --ro-bind "${process.execPath}" /node --ro-bind "$stage" /stage --proc /proc --dev /dev \\
  --remount-ro /dev --remount-ro / -- /node "$@"
`;

describe("level external", () => {
  verifies(
    "sandbox.levels",
    "a command that isolates runs tools, and is held to what os claims",
    async () => {
      const command = [script(CONTAINER), "{stage}"];
      const own = await openOwnSandbox({ code_tools: "external", run_code: "none", command });
      try {
        expect(own.sandbox.isolationOf("code")).toMatch(/^external \(probed.*no known gaps/);
        const folder = catalogFolder({ "item_sum.tool.ts": toolText("item_sum") });
        const manifests = await readManifests(folder, own.sandbox.readManifest);
        const { tools } = loadCatalog(folder, { drafts: false, manifests });
        expect([...tools.keys()]).toEqual(["item_sum"]);
      } finally {
        await own.close();
      }
    },
    // Its filter is not ours: a container's own would refuse what this one's jail does not need.
    { skip },
  );

  verifies("sandbox.probe", "a command that only runs Node does not hold", async () => {
    const PLAIN = `stage=$1; shift
      for argument; do shift; set -- "$@" "$(echo "$argument" | sed "s|/stage/|$stage/|")"; done
      exec "${process.execPath}" "$@"`;
    const command = [script(PLAIN), "{stage}"];
    const opened = openOwnSandbox({ code_tools: "external", run_code: "none", command });
    await expect(opened).rejects.toThrow(/isolation_unavailable: level external does not hold/);
  });

  verifies("sandbox.probe", "a command that is not there does not hold", async () => {
    const command = ["/nowhere/docker", "run", "{stage}"];
    const opened = openOwnSandbox({ code_tools: "external", run_code: "none", command });
    await expect(opened).rejects.toThrow(/no worker at level external.*ENOENT/);
  });
});
