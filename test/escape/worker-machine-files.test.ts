import { LEVELS, expectClaim } from "../setup/levels.ts";
import { verifies } from "../verifies.ts";

for (const { level, skip } of LEVELS) {
  verifies(
    "sandbox.escape",
    `at level ${level}, a worker cannot read the machine's own files`,
    () => expectClaim(level, "read_password_file"),
    { skip },
  );
}
