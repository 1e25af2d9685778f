import { LEVELS, expectClaim } from "../setup/levels.ts";
import { verifies } from "../verifies.ts";

for (const { level, skip } of LEVELS) {
  verifies(
    "sandbox.escape",
    `at level ${level}, a worker cannot connect to a service on loopback`,
    () => expectClaim(level, "connect_tcp"),
    { skip },
  );
}
