// Several processes refresh the same links, and are killed. A minute of it: vault.long.test.ts.
import { expect } from "vitest";
import { verifies } from "../verifies.ts";
import { rounds } from "./vault-rounds.ts";

verifies(
  "connections.many-processes",
  "four processes with forty callers lose no connection and use no refresh token twice",
  async () => {
    const { reuses, lost, counts } = await rounds(4000);
    expect({ reuses, lost }).toEqual({ reuses: 0, lost: [] });
    expect(counts.map(({ foreign }) => foreign)).toEqual(counts.map(() => 0));
    expect(counts.flatMap(({ refused }) => Object.keys(refused))).toEqual([]);
  },
  { timeout_ms: 120_000 },
);
