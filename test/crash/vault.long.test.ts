// "Four processes on one SQLite vault, forty callers, a rotating authorization server that kills on
// reuse, for a minute, with process kills" (issue 5).
import { expect } from "vitest";
import { verifies } from "../verifies.ts";
import { rounds } from "./vault-rounds.ts";

verifies(
  "connections.many-processes",
  "for a minute, with kills, no connection is lost and no refresh token used twice",
  async () => {
    const verdict = await rounds(60_000);
    console.log(JSON.stringify({ ...verdict, counts: undefined }));
    expect(verdict).toMatchObject({ reuses: 0, lost: [] });
    for (const { foreign, refused } of verdict.counts) {
      expect({ foreign, refused }).toEqual({ foreign: 0, refused: {} });
    }
  },
);
