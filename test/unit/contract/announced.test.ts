// The headers in which an API announces an end: what each form says, and that no other says any.
import { describe, expect } from "vitest";
import * as fc from "fast-check";
import { announce, announcedIn } from "../../../src/contract/announced.ts";
import { Findings } from "../../../src/contract/findings.ts";
import { verifies } from "../../verifies.ts";

const DAY = "2023-06-30T23:59:59Z";
const END = "Wed, 31 Dec 2025 23:59:59 GMT";

describe("an answer's headers", () => {
  const SAYS: readonly (readonly [Record<string, string | string[]>, object])[] = [
    [{}, {}],
    [{ deprecation: "@1688169599" }, { deprecation: DAY }],
    [{ deprecation: '@1688169599;by="us"' }, { deprecation: DAY }],
    [{ deprecation: "@-1" }, { deprecation: "1969-12-31T23:59:59Z" }],
    [{ deprecation: "true" }, { deprecation: "undated" }],
    [{ deprecation: "?1" }, { deprecation: "undated" }],
    [{ deprecation: "Fri, 30 Jun 2023 23:59:59 GMT" }, { deprecation: DAY }],
    [{ deprecation: ["junk", "@1688169599"] }, { deprecation: DAY }],
    [{ sunset: END }, { sunset: "2025-12-31T23:59:59Z" }],
    [
      { sunset: ["Thu, 01 Jan 2026 00:00:00 GMT", END], deprecation: "true" },
      { deprecation: "undated", sunset: "2025-12-31T23:59:59Z" },
    ],
    ...["", "@", "@1.5", "@1e9", "@999999999999999", "?0", "false", "1688169599", "2023-06-30"].map(
      (deprecation) => [{ deprecation }, {}] as const,
    ),
    ...["@1688169599", "tomorrow", "2025-12-31", "31 Dec 2025", END.toLowerCase(), `${END} `].map(
      (sunset) => [{ sunset }, {}] as const,
    ),
    [{ sunset: "Wed, 99 Dec 2025 23:59:59 GMT", deprecation: "\u0000true" }, {}],
  ];
  verifies("contract.announced", "say when it goes out of use, and when it ends", () => {
    for (const [headers, said] of SAYS)
      expect([headers, announcedIn(headers)]).toEqual([headers, said]);
  });

  verifies("contract.announced", "leave none of their own text behind, whatever it is", () => {
    const value = fc.oneof(
      fc.string({ maxLength: 300 }),
      fc.integer().map((n) => `@${n}`),
      fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
    );
    fc.assert(
      fc.property(value, value, (deprecation, sunset) => {
        const said = Object.values(announcedIn({ deprecation, sunset }));
        for (const one of said) expect(one).toMatch(/^(?:undated|[+-]?\d{4,6}-[\dT:.-]{14,19}Z)$/);
      }),
    );
  });
});

describe("what is announced", () => {
  const found = (
    said: Parameters<typeof announce>[1],
    pinned?: Parameters<typeof announce>[2],
    now = "2025-06-01T00:00:00Z",
  ): readonly string[] => {
    const findings = new Findings("GET /x", {});
    announce(findings, said, pinned, Date.parse(now));
    return findings.all().map(({ severity, rule, pointer }) => `${severity} ${rule} ${pointer}`);
  };
  const sunset = "2025-12-31T23:59:59Z";

  verifies("contract.announced", "is a warning, and an end that has passed a break", () => {
    expect(found({ deprecation: DAY })).toEqual(["warn endpoint-deprecated /header/deprecation"]);
    expect(found({ sunset })).toEqual(["warn endpoint-deprecated-with-sunset /header/sunset"]);
    expect(found({ sunset }, undefined, "2026-01-01T00:00:00Z")).toEqual([
      "break api-sunset-passed /header/sunset",
    ]);
    expect(found({ sunset }, undefined, sunset)).toEqual([
      "warn endpoint-deprecated-with-sunset /header/sunset",
    ]);
  });

  verifies("contract.announced", "is nothing new where the contract says it, until then", () => {
    const pinned = { deprecated: true, sunset: "2025-12-31" } as const;
    expect(found({ deprecation: DAY, sunset }, pinned)).toEqual([]);
    expect(found({ sunset: "2025-11-01T00:00:00Z" }, pinned)).toHaveLength(1);
    expect(found({ sunset }, pinned, "2026-01-01T00:00:00Z")).toEqual([
      "break api-sunset-passed /header/sunset",
    ]);
  });
});
