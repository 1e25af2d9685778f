import { LEVELS, expectClaim } from "../setup/levels.ts";
import { verifies } from "../verifies.ts";

for (const { level, skip } of LEVELS) {
  verifies(
    "sandbox.escape",
    `at level ${level}, a worker cannot find a folder beyond those of its jail`,
    () => expectClaim(level, "list_root"),
    { skip },
  );
}
