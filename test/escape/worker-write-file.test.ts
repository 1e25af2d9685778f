import { LEVELS, expectClaim } from "../setup/levels.ts";
import { verifies } from "../verifies.ts";

for (const { level, skip } of LEVELS) {
  verifies(
    "sandbox.escape",
    `at level ${level}, a worker cannot write a file, over its own program, or much of anything`,
    () => expectClaim(level, "write_file"),
    { skip },
  );
}
