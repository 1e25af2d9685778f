import { LEVELS, expectClaim } from "../setup/levels.ts";
import { verifies } from "../verifies.ts";

for (const { level, skip } of LEVELS) {
  verifies(
    "sandbox.escape",
    `at level ${level}, a worker cannot open a database by way of node:sqlite`,
    () => expectClaim(level, "open_database"),
    { skip },
  );
}
