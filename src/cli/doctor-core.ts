// What `doctor` hears from the doorless that owns the data folder, where one runs.
import { askLocal, LocalError, NotRunning } from "../console/local.ts";
import type { CoreState } from "../console/state-desk.ts";
import type { Config } from "../config/load.ts";
import { VERSION } from "../kernel/version.ts";
import { osUser } from "./core.ts";
import { fine, noted, wrong } from "./finding.ts";
import type { Finding } from "./finding.ts";

const ABOUT = "running";

export async function lookAtCore(config: Config): Promise<Finding> {
  let state: CoreState;
  try {
    const question = { os_user: osUser() };
    state = (await askLocal(config.data_dir, "core", "/state", question)) as CoreState;
  } catch (error) {
    if (error instanceof NotRunning) return noted(ABOUT, error.message, howToStart(config));
    if (!(error instanceof LocalError)) throw error;
    return wrong(ABOUT, `it does not say how it is: ${error.message}`, "restart it; see its log");
  }
  const { ready, policy, version, sessions, calls, locks, links_damaged } = state;
  if (!ready) {
    const mend = "see its log: most often the disk is full, or cannot be written";
    return wrong(ABOUT, "the audit log cannot be written, and every call is refused", mend);
  }
  if (links_damaged > 0) {
    const said = `stored links that do not verify: ${links_damaged}`;
    return wrong(ABOUT, said, "see `doorless connections ls`; their people connect anew");
  }
  if (policy !== config.hash) {
    return wrong(ABOUT, `it runs another configuration than ${config.file} is now`, "restart it");
  }
  if (version !== VERSION)
    return noted(ABOUT, `it is ${version}, and this is ${VERSION}`, "restart it");
  return fine(ABOUT, `ready; ${sessions} sessions, ${calls} calls, ${locks} locks`);
}

function howToStart({ issuers, file }: Config): string {
  const isDemo = Object.values(issuers).some(({ demo }) => demo === true);
  return isDemo ? "doorless demo" : `doorless start --config ${file}`;
}
