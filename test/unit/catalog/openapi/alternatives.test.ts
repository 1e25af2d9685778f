// What alternatives of single values come to: no text that none of them takes.
import { describe } from "vitest";
import { body, inBody, of, openapi, optional, tryEach } from "../../../setup/openapi-cases.ts";
import type { Case } from "../../../setup/openapi-cases.ts";

const ALTERNATIVES: readonly Case[] = [
  of(
    "a certain word or a number",
    openapi(
      "3.0.0",
      body({ a: { oneOf: [{ type: "string", enum: ["now"] }, { type: "integer" }] } }),
    ),
    { a: inBody({ anyOf: [{ type: "string", enum: ["now"] }, { type: "integer" }] }, optional) },
  ),
  of(
    "any word, some of which it names",
    openapi(
      "3.0.0",
      body({
        a: {
          anyOf: [
            { type: "string", maxLength: 9 },
            { type: "string", enum: ["x"] },
          ],
        },
      }),
    ),
    { a: inBody({ type: "string", maxLength: 10_000 }, optional) },
  ),
];

describe("import", () => {
  tryEach(ALTERNATIVES);
});
