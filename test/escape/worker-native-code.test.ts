import { LEVELS, expectClaim } from "../setup/levels.ts";
import { verifies } from "../verifies.ts";

for (const { level, skip } of LEVELS) {
  verifies(
    "sandbox.escape",
    `at level ${level}, a worker can neither load native code nor reach Node's internals`,
    () => expectClaim(level, "load_native_code"),
    { skip },
  );
}
