import { LEVELS, expectClaim } from "../setup/levels.ts";
import { verifies } from "../verifies.ts";

for (const { level, skip } of LEVELS) {
  verifies(
    "sandbox.escape",
    `at level ${level}, a worker cannot read the server's memory, open files or root`,
    () => expectClaim(level, "host_memory"),
    { skip },
  );
}
