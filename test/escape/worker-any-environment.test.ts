import { LEVELS, expectClaim } from "../setup/levels.ts";
import { verifies } from "../verifies.ts";

for (const { level, skip } of LEVELS) {
  verifies(
    "sandbox.escape",
    `at level ${level}, a worker cannot read the environment of any process, the first included`,
    () => expectClaim(level, "any_environment"),
    { skip },
  );
}
