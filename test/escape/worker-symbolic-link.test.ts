import { LEVELS, expectClaim } from "../setup/levels.ts";
import { verifies } from "../verifies.ts";

for (const { level, skip } of LEVELS) {
  verifies(
    "sandbox.escape",
    `at level ${level}, a worker cannot read through a link that it makes`,
    () => expectClaim(level, "follow_link"),
    { skip },
  );
}
