import { LEVELS, expectClaim } from "../setup/levels.ts";
import { verifies } from "../verifies.ts";

for (const { level, skip } of LEVELS) {
  verifies(
    "sandbox.escape",
    `at level ${level}, a worker cannot signal the server, where its level says so`,
    () => expectClaim(level, "signal_host"),
    { skip },
  );
}
