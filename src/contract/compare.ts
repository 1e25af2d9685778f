// Compares the approved slice of an API with the one of today: each difference that a caller could
// notice is a finding of the rule table; of equivalent slices there is none.
import { compareProtection } from "./compare-protection.ts";
import { compareRequests, compareResponses } from "./compare-exchange.ts";
import { Findings } from "./findings.ts";
import type { Finding, Place, Use } from "./findings.ts";
import { isRaw } from "./raw.ts";
import { sliceOf } from "./slice.ts";
import type { Slice, SliceOptions } from "./slice.ts";
import { SliceError } from "./slice-error.ts";

const WHOLE: Place = { side: "operation", kind: "", pointer: "", path: "" };

export function compare(before: Slice, after: Slice, use: Use = {}): readonly Finding[] {
  const findings = new Findings(before.operation, use);
  compareLifetime(findings, before, after);
  compareProtection(findings, before, after);
  compareRequests(findings, before, after);
  compareResponses(findings, before, after);
  return findings.all();
}

export interface Judged {
  /** Absent where the document has the operation no more, or in no readable form. */
  readonly slice: Slice | undefined;
  readonly findings: readonly Finding[];
}

/** The same against a document: that the operation is gone is a finding too. */
export function judge(
  before: Slice,
  document: unknown,
  options: SliceOptions,
  use: Use = {},
): Judged {
  if (!isRaw(document)) throw new SliceError("not_openapi", "not an OpenAPI document: no object");
  try {
    const slice = sliceOf(document, before.operation, options);
    return { slice, findings: compare(before, slice, use) };
  } catch (error) {
    if (!(error instanceof SliceError) || error.code === "not_openapi") throw error;
    const findings = new Findings(before.operation, use);
    findings.add(goneRule(error, before, use), WHOLE, textOf(error));
    return { slice: undefined, findings: findings.all() };
  }
}

function goneRule(error: SliceError, before: Slice, use: Use): string {
  if (error.code !== "path_not_found" && error.code !== "operation_not_found") {
    return "operation-not-readable";
  }
  const early = before.sunset !== undefined && (use.today ?? "") < before.sunset;
  if (before.deprecated && early) return "api-removed-before-sunset";
  return error.code === "path_not_found"
    ? "api-path-removed-without-deprecation"
    : "api-removed-without-deprecation";
}

function textOf(error: SliceError): { readonly to?: string } {
  return error.code.endsWith("_not_found") && !error.code.startsWith("reference")
    ? {}
    : { to: error.message };
}

function compareLifetime(findings: Findings, before: Slice, after: Slice): void {
  const [from, to] = [before.sunset, after.sunset];
  if (after.deprecated && !before.deprecated) {
    const dated = to === undefined ? "" : "-with-sunset";
    findings.add(`endpoint-deprecated${dated}`, WHOLE, { to });
  }
  if (before.deprecated && !after.deprecated) findings.add("endpoint-reactivated", WHOLE);
  else if (from !== undefined && to === undefined) findings.add("sunset-deleted", WHOLE, { from });
  if (from !== undefined && to !== undefined && from !== to) {
    const earlier = to < from;
    findings.add(`api-sunset-date-changed${earlier ? "-too-small" : ""}`, WHOLE, { from, to });
  }
  const { today } = findings.use;
  if (to !== undefined && today !== undefined && to < today) {
    findings.add("api-sunset-passed", WHOLE, { to });
  }
}
