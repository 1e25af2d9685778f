import { LEVELS, expectClaim } from "../setup/levels.ts";
import { verifies } from "../verifies.ts";

for (const { level, skip } of LEVELS) {
  verifies(
    "sandbox.escape",
    `at level ${level}, a worker finds nothing of the server in its own environment`,
    () => expectClaim(level, "own_environment"),
    { skip },
  );
}
