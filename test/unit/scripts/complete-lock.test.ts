// The lockfile is whole for every platform, so that `npm ci` takes it anywhere.
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { complete, gaps, readLock } from "../../../scripts/complete-lock.ts";
import { verifies } from "../../verifies.ts";

const ROOT = resolve(import.meta.dirname, "../../..");

verifies("house.fresh-clone", "each optional package that a locked one wants is locked", () => {
  expect(gaps(readLock(resolve(ROOT, "package-lock.json")).packages)).toEqual([]);
});

test("a missing platform package gets its version, platform and place", () => {
  const optionalDependencies = { "@x/b-linux-arm64-musl": "2.0.0", "@x/b-win32-x64-msvc": "2.0.0" };
  const packages = {
    "": { version: "1.0.0" },
    "node_modules/@x/b-linux-arm64-musl": { version: "1.0.0" },
    "node_modules/x": { version: "2.0.0", dev: true, optionalDependencies },
  };
  const whole = complete(packages);
  expect(whole).toEqual({
    ...packages,
    "node_modules/@x/b-win32-x64-msvc": {
      version: "2.0.0",
      cpu: ["x64"],
      dev: true,
      optional: true,
      os: ["win32"],
    },
    "node_modules/x/node_modules/@x/b-linux-arm64-musl": {
      version: "2.0.0",
      cpu: ["arm64"],
      dev: true,
      libc: ["musl"],
      optional: true,
      os: ["linux"],
    },
  });
  expect(gaps(whole)).toEqual([]);
});
