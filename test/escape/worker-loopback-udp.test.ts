import { LEVELS, expectClaim } from "../setup/levels.ts";
import { verifies } from "../verifies.ts";

for (const { level, skip } of LEVELS) {
  verifies(
    "sandbox.escape",
    `at level ${level}, a worker cannot exchange packets with a service on loopback`,
    () => expectClaim(level, "send_udp"),
    { skip },
  );
}
