// Every promise has a test, and every citation is of a promise. Static: nothing is run.
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { citations } from "../../scripts/citations.ts";
import { requirements } from "../requirements.ts";

const cited = citations(resolve(import.meta.dirname, "../.."));

describe("requirements", () => {
  test("each requirement is cited by at least one test", () => {
    const ids = new Set(cited.map((one) => one.id));
    expect(Object.keys(requirements).filter((id) => !ids.has(id))).toEqual([]);
  });

  test("each citation is of a requirement that exists", () => {
    expect(cited.filter(({ id }) => !Object.hasOwn(requirements, id))).toEqual([]);
  });

  test("each requirement says where it comes from and what holds", () => {
    for (const [id, { source, behavior }] of Object.entries(requirements)) {
      expect({ id, source, behavior }).toEqual({
        id: expect.stringMatching(/^[a-z-]+\.[a-z-]+$/),
        source: expect.stringMatching(/^(DESIGN|INTERFACE|I\d)/),
        behavior: expect.stringMatching(/\S/),
      });
    }
  });
});
