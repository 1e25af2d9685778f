import { LEVELS, expectClaim } from "../setup/levels.ts";
import { verifies } from "../verifies.ts";

for (const { level, skip } of LEVELS) {
  verifies(
    "sandbox.escape",
    `at level ${level}, a worker cannot see which sockets the machine has open`,
    () => expectClaim(level, "list_sockets"),
    { skip },
  );
}
