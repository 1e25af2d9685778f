// Parameters, bodies, statuses and headers of two slices; their schemas go on to ShapeComparison.
import { own } from "../kernel/own.ts";
import { pointerTo } from "../kernel/json.ts";
import { ShapeComparison } from "./compare-shape.ts";
import type { Parameter } from "./exchange.ts";
import { LINK } from "./findings.ts";
import type { Findings, Place } from "./findings.ts";
import { preferredMedia } from "./media.ts";
import { resolve } from "./shape.ts";
import { sentShapes, shapesOf } from "./slice.ts";
import type { Slice } from "./slice.ts";

const BODY: Place = { side: "request", kind: "body", pointer: "/body", path: "/body" };
const ANSWER: Place = { side: "response", kind: "body", pointer: "/body", path: "" };
const READS = new Set(["GET", "HEAD", "DELETE"]);

export function compareRequests(findings: Findings, before: Slice, after: Slice): void {
  const comparison = new ShapeComparison(
    findings,
    { roots: sentShapes(before), defs: before.request.$defs },
    { roots: sentShapes(after), defs: after.request.$defs },
  );
  compareParameters(comparison, before, after);
  compareBodies(comparison, before, after);
}

function compareParameters(comparison: ShapeComparison, before: Slice, after: Slice): void {
  const { findings } = comparison;
  const now = new Map(after.request.parameters.map((one) => [placeOf(one).pointer, one]));
  for (const parameter of before.request.parameters) {
    const place = placeOf(parameter);
    const next = now.get(place.pointer);
    now.delete(place.pointer);
    if (next === undefined) gone(findings, parameter, after, place);
    else compareParameter(comparison, parameter, next, place);
  }
  for (const parameter of now.values()) added(comparison, parameter, after);
}

function placeOf(parameter: Parameter): Place {
  const pointer = pointerTo(`/${parameter.in}`, parameter.name);
  return { side: "request", kind: "parameter", pointer, path: pointer };
}

function gone(findings: Findings, parameter: Parameter, after: Slice, place: Place): void {
  const moved = after.request.parameters.find((one) => one.name === parameter.name);
  const severity = findings.weightOfLoss(place.path);
  if (moved === undefined) findings.add("request-parameter-removed", place, { severity });
  else {
    const change = { from: parameter.in, to: moved.in, severity };
    findings.add("request-parameter-serialization-changed", place, change);
  }
}

function added(comparison: ShapeComparison, parameter: Parameter, after: Slice): void {
  const place = placeOf(parameter);
  const preset = "default" in resolve(parameter.schema, after.request.$defs);
  const rule = !parameter.required
    ? "new-optional-request-parameter"
    : parameter.in === "path"
      ? "new-request-path-parameter"
      : preset
        ? "new-required-request-default-parameter-to-existing-path"
        : parameter.in === "header"
          ? "new-required-request-header-property"
          : "new-required-request-parameter";
  comparison.findings.add(rule, place);
}

function compareParameter(
  comparison: ShapeComparison,
  before: Parameter,
  after: Parameter,
  place: Place,
): void {
  const { findings } = comparison;
  const sent = findings.sent(place.path);
  const unused = findings.unsent(place.path) ? ("info" as const) : undefined;
  if (before.required !== after.required) {
    const severity = sent?.always === true ? "info" : undefined;
    const word = after.required ? "required" : "optional";
    findings.add(`request-parameter-became-${word}`, place, { severity });
  }
  if (before.style !== after.style) {
    const change = { from: before.style, to: after.style, severity: unused };
    findings.add("request-parameter-serialization-changed", place, change);
  }
  if (before.deprecated !== after.deprecated) {
    const word = after.deprecated ? "deprecated" : "reactivated";
    findings.add(`request-parameter-${word}`, place, { severity: unused });
  }
  comparison.compare(before.schema, after.schema, place);
}

function compareBodies(comparison: ShapeComparison, before: Slice, after: Slice): void {
  const { findings } = comparison;
  const [old, now] = [before.request.body, after.request.body];
  if (old === undefined) {
    if (now === undefined) return;
    const reads = READS.has(before.operation.split(" ")[0] ?? "");
    if (reads && now.required) findings.add("operation-method-changed", BODY);
    else findings.add(`request-body-added-${now.required ? "required" : "optional"}`, BODY);
    return;
  }
  if (now === undefined) {
    const severity = comparison.outOfPlay(BODY);
    return findings.add("request-body-removed", BODY, { severity });
  }
  if (old.required !== now.required) {
    const always = findings.sent("/body")?.always === true;
    const severity = always ? "info" : undefined;
    findings.add(`request-body-became-${now.required ? "required" : "optional"}`, BODY, {
      severity,
    });
  }
  compareContents(comparison, old, now);
}

type Content = NonNullable<Slice["request"]["body"]>;

// The tool sends one media type; of the others it is enough to know that they came or went.
function compareContents(comparison: ShapeComparison, old: Content, now: Content): void {
  const { findings } = comparison;
  const spoken = preferredMedia(Object.keys(old.content));
  for (const [media, { schema, encoding }] of Object.entries(old.content)) {
    const next = own(now.content, media);
    const severity = media === spoken ? comparison.outOfPlay(BODY) : "info";
    if (next === undefined) {
      findings.add("request-body-media-type-removed", BODY, { from: media, severity });
      continue;
    }
    const all = new Set([...Object.keys(encoding ?? {}), ...Object.keys(next.encoding ?? {})]);
    for (const name of media === spoken ? all : []) {
      const [from, to] = [own(encoding ?? {}, name), own(next.encoding ?? {}, name)];
      const at = { ...BODY, pointer: pointerTo("/body", name), path: pointerTo("/body", name) };
      if (from !== to) findings.add("request-parameter-serialization-changed", at, { from, to });
    }
    if (media === spoken) comparison.compare(schema, next.schema, BODY);
    else if (!comparison.isSame(schema, next.schema)) {
      findings.add("request-body-other-media-type-changed", BODY, { to: media });
    }
  }
  for (const media of Object.keys(now.content)) {
    if (own(old.content, media) !== undefined) continue;
    findings.add("request-body-media-type-added", BODY, { to: media });
  }
}

export function compareResponses(findings: Findings, before: Slice, after: Slice): void {
  const [old, now] = [before.response.statuses, after.response.statuses];
  const comparison = new ShapeComparison(
    findings,
    { roots: shapesOf(old), defs: before.response.$defs },
    { roots: shapesOf(now), defs: after.response.$defs },
  );
  for (const [status, response] of Object.entries(old)) {
    // A range covers the status that was told apart before.
    const next = own(now, status) ?? own(now, "2XX");
    const place = { ...ANSWER, pointer: `/${status}` };
    if (next === undefined) findings.add("response-success-status-removed", place);
    else compareResponse(comparison, response, next, place);
  }
  for (const status of Object.keys(now)) {
    if (own(old, status) !== undefined) continue;
    findings.add("response-success-status-added", { ...ANSWER, pointer: `/${status}` });
  }
}

type Answer = Slice["response"]["statuses"][string];

function compareResponse(
  comparison: ShapeComparison,
  old: Answer,
  now: Answer,
  place: Place,
): void {
  const { findings } = comparison;
  const spoken = preferredMedia(Object.keys(old.content));
  for (const [media, shape] of Object.entries(old.content)) {
    const next = own(now.content, media);
    if (next !== undefined) {
      const at = { ...place, pointer: `${place.pointer}/body` };
      if (media === spoken) comparison.compare(shape, next, at);
      else if (!comparison.isSame(shape, next)) {
        findings.add("response-other-media-type-changed", place, { to: media });
      }
      continue;
    }
    const severity = media === spoken ? undefined : "info";
    const wide = Object.keys(now.content).some((one) => one.endsWith("/*"));
    const rule = wide ? "response-media-type-name-generalized" : "response-media-type-removed";
    findings.add(rule, place, { from: media, severity });
  }
  for (const media of Object.keys(now.content)) {
    if (own(old.content, media) !== undefined) continue;
    findings.add("response-media-type-added", place, { to: media });
  }
  compareHeaders(findings, old, now, place);
}

function compareHeaders(findings: Findings, old: Answer, now: Answer, place: Place): void {
  for (const [name, required] of Object.entries(old.headers)) {
    const at = { ...place, pointer: pointerTo(`${place.pointer}/header`, name) };
    const next = own(now.headers, name);
    if (name === "link" && findings.follows(LINK) && next === undefined) {
      findings.add("pagination-field-removed", at);
    } else if (next === undefined) {
      findings.add(`${required ? "required" : "optional"}-response-header-removed`, at);
    } else if (required && !next) findings.add("response-header-became-optional", at);
    else if (!required && next) findings.add("response-header-became-required", at);
  }
  for (const name of Object.keys(now.headers)) {
    if (own(old.headers, name) !== undefined) continue;
    const at = { ...place, pointer: pointerTo(`${place.pointer}/header`, name) };
    findings.add("response-header-added", at);
  }
}
