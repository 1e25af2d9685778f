import { LEVELS, expectClaim } from "../setup/levels.ts";
import { verifies } from "../verifies.ts";

for (const { level, skip } of LEVELS) {
  verifies(
    "sandbox.escape",
    `at level ${level}, a worker finds no way to the cloud's metadata service`,
    () => expectClaim(level, "reach_metadata"),
    { skip },
  );
}
