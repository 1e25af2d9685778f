// Compares the schemas of two slices, place by place. Request schemas must not get narrower,
// response schemas not wider; where only a theorem prover could tell, it is a break to review.
import { pointerTo, tokensOf } from "../kernel/json.ts";
import { own } from "../kernel/own.ts";
import { compareChoices, isPureChoice } from "./compare-choices.ts";
import { compareKeywords, compareTypes } from "./compare-keywords.ts";
import type { Comparison } from "./comparison.ts";
import { Colouring } from "./digest.ts";
import type { Rooted } from "./digest.ts";
import type { Findings, Place } from "./findings.ts";
import { isPagingField } from "./paging.ts";
import { resolve } from "./shape.ts";
import type { Defs, Shape } from "./shape.ts";

/** What says nothing. */
const ANY: Shape = Object.freeze({});
interface Pair {
  readonly before: Shape;
  readonly after: Shape;
  readonly place: Place;
}

/** Two versions of one side; it remembers which pairs were looked at, for schemas are cyclic. */
export class ShapeComparison implements Comparison {
  readonly findings: Findings;
  readonly before: Defs;
  readonly after: Defs;
  private readonly colouring: Colouring;
  private readonly seen = new Map<Shape, Map<Shape, Set<string>>>();
  private readonly queue: Pair[] = [];

  constructor(findings: Findings, before: Rooted, after: Rooted) {
    this.findings = findings;
    this.before = before.defs;
    this.after = after.defs;
    this.colouring = new Colouring([before, after]);
  }

  compare(before: Shape, after: Shape, place: Place): void {
    this.later(before, after, place);
    for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) {
      this.step(next);
    }
  }

  later(before: Shape, after: Shape, place: Place): void {
    this.queue.push({
      before: resolve(before, this.before),
      after: resolve(after, this.after),
      place,
    });
  }

  colourBefore(shape: Shape): string {
    return this.colouring.of(shape, this.before);
  }

  colourAfter(shape: Shape): string {
    return this.colouring.of(shape, this.after);
  }

  isSame(before: Shape, after: Shape): boolean {
    const colour = this.colourBefore(before);
    return colour !== "" && colour === this.colourAfter(after);
  }

  private step({ before, after, place }: Pair): void {
    if (this.isSame(before, after) || !this.isNew(before, after, place)) return;
    if (isPureChoice(before) || isPureChoice(after)) {
      const isNothing = compareTypes(this, before, after, place, "null");
      return isNothing ? undefined : compareChoices(this, before, after, place);
    }
    compareKeywords(this, before, after, place);
    if (place.side === "request") this.requestProperties(before, after, place);
    else this.responseProperties(before, after, place);
    this.patternProperties(before, after, place);
    this.items(before, after, place);
    compareChoices(this, before, after, place);
  }

  // One pair counts once where the tool uses it, and once where it does not. What holds arguments
  // of the tool counts at each place, since each argument has its own schema.
  private isNew(before: Shape, after: Shape, { side, path }: Place): boolean {
    const { findings } = this;
    const used = side === "request" ? !findings.unsent(path) : !findings.spare(path);
    const partners = this.seen.get(before) ?? new Map<Shape, Set<string>>();
    this.seen.set(before, partners);
    const ways = partners.get(after) ?? new Set<string>();
    partners.set(after, ways);
    const holds = side === "request" && findings.holdsSent(path);
    const way = holds ? path : used ? "used" : "unused";
    if (ways.has(way)) return false;
    ways.add(way);
    return true;
  }

  private requestProperties(before: Shape, after: Shape, place: Place): void {
    const { findings } = this;
    const [old, now] = [before.properties ?? {}, after.properties ?? {}];
    for (const [name, schema] of Object.entries(old)) {
      const at = under(place, name);
      const next = own(now, name);
      if (next !== undefined) {
        this.becameRequired(name, before, after, at);
        this.later(schema, next, at);
      } else {
        const closed = after.additionalProperties === false ? "break" : undefined;
        const severity = findings.weightOfLoss(at.path) ?? closed;
        findings.add("request-property-removed", at, { severity });
      }
    }
    for (const [name, schema] of Object.entries(now)) {
      if (own(old, name) !== undefined) continue;
      const rule = !after.required?.includes(name)
        ? "new-optional-request-property"
        : "default" in resolve(schema, this.after)
          ? "new-required-request-property-with-default"
          : "new-required-request-property";
      findings.add(rule, under(place, name), { severity: this.outOfPlay(place) });
    }
    for (const [name, is] of undescribed(before, after)) {
      const severity = this.outOfPlay(place);
      const rule = `request-property-became-${is ? "required" : "optional"}`;
      findings.add(rule, under(place, name), { severity });
    }
    this.additional(before, after, place);
  }

  private becameRequired(name: string, before: Shape, after: Shape, at: Place): void {
    const [was, is] = [before, after].map((one) => one.required?.includes(name) ?? false);
    if (was === is) return;
    if (!is) return this.findings.add("request-property-became-optional", at);
    const preset = "default" in resolve(own(after.properties ?? {}, name) ?? ANY, this.after);
    const rule = `request-property-became-required${preset ? "-with-default" : ""}`;
    const always = this.findings.sent(at.path)?.always === true;
    const parent = { ...at, path: at.path.slice(0, at.path.lastIndexOf("/")) };
    this.findings.add(rule, at, { severity: always ? "info" : this.outOfPlay(parent) });
  }

  private additional(before: Shape, after: Shape, place: Place): void {
    const [was, is] = [before.additionalProperties, after.additionalProperties];
    if (was === false && is === false) return;
    if (is === false) {
      // Harmless where all that the tool sends is declared still.
      const { sends } = this.findings.use;
      const declared = [...(sends?.keys() ?? [])].every((path) =>
        path.startsWith(`${place.path}/`)
          ? own(after.properties ?? {}, tokensOf(path.slice(place.path.length))[0] ?? "") !==
            undefined
          : path !== place.path,
      );
      const severity = sends !== undefined && declared ? "info" : undefined;
      return this.findings.add("request-additional-properties-forbidden", place, { severity });
    }
    if (was === false) return this.findings.add("request-additional-properties-allowed", place);
    if (was !== undefined && is !== undefined) return this.later(was, is, under(place, "*"));
    if (is !== undefined) this.findings.add("request-additional-properties-narrowed", place);
    else if (was !== undefined) this.findings.add("request-additional-properties-allowed", place);
  }

  private responseProperties(before: Shape, after: Shape, place: Place): void {
    const { findings } = this;
    const [old, now] = [before.properties ?? {}, after.properties ?? {}];
    for (const [name, schema] of Object.entries(old)) {
      const at = under(place, name);
      const next = own(now, name);
      const [was = false, is = false] = [before, after].map((one) => one.required?.includes(name));
      if (next === undefined) this.responseGone(name, was, at);
      else {
        if (was !== is) this.responsePresence(is, at);
        this.later(schema, next, at);
      }
    }
    for (const name of Object.keys(now)) {
      if (own(old, name) !== undefined) continue;
      const kind = after.required?.includes(name) ? "required" : "optional";
      findings.add(`response-${kind}-property-added`, under(place, name));
    }
    for (const [name, is] of undescribed(before, after)) {
      findings.add(`response-property-became-${is ? "required" : "optional"}`, under(place, name));
    }
    this.additionalInResponse(before, after, place);
  }

  private additionalInResponse(before: Shape, after: Shape, place: Place): void {
    const [was, is] = [before.additionalProperties, after.additionalProperties];
    if (typeof was === "object" && typeof is === "object") this.later(was, is, under(place, "*"));
    else if (was !== is) this.findings.add("response-additional-properties-changed", place);
  }

  private responsePresence(always: boolean, at: Place): void {
    const severity = !always && this.findings.spare(at.path) ? "info" : undefined;
    const word = always ? "required" : "optional";
    this.findings.add(`response-property-became-${word}`, at, { severity });
  }

  private responseGone(name: string, required: boolean, at: Place): void {
    const { findings } = this;
    if (findings.follows(at.path) || isPagingField(name)) {
      return findings.add("pagination-field-removed", at);
    }
    if (findings.use.needs === undefined) {
      return findings.add(`response-${required ? "required" : "optional"}-property-removed`, at);
    }
    const severity = findings.spare(at.path) ? "warn" : "break";
    findings.add(`response-${required ? "required" : "optional"}-property-removed`, at, {
      severity,
    });
  }

  private patternProperties(before: Shape, after: Shape, place: Place): void {
    const maps = [before, after].map(
      (one) => (one["patternProperties"] ?? {}) as Readonly<Record<string, Shape>>,
    );
    const [old = {}, now = {}] = maps;
    const severity = this.outOfPlay(place);
    for (const [pattern, schema] of Object.entries(old)) {
      const next = own(now, pattern);
      if (next !== undefined) this.later(schema, next, under(place, "*"));
      else this.findings.add(`${place.side}-{}-pattern-property-removed`, place, { severity });
    }
    for (const pattern of Object.keys(now)) {
      if (own(old, pattern) !== undefined) continue;
      this.findings.add(`${place.side}-{}-pattern-property-added`, place, { severity });
    }
  }

  private items(before: Shape, after: Shape, place: Place): void {
    const [was, is] = [before.items ?? ANY, after.items ?? ANY];
    if (was !== is) this.later(was, is, under(place, "*"));
    const [old, now] = [before.prefixItems ?? [], after.prefixItems ?? []];
    old.forEach((schema, i) => {
      const next = now[i];
      if (next !== undefined) this.later(schema, next, under(place, String(i)));
    });
    if (old.length > now.length) {
      this.findings.add(`${place.side}-{}-prefix-items-removed`, place);
    } else if (old.length < now.length) {
      this.findings.add(`${place.side}-{}-prefix-items-added`, place);
    }
  }

  outOfPlay({ side, path }: Place): "info" | undefined {
    return side === "request" && this.findings.unsent(path) ? "info" : undefined;
  }
}

/** Names that came to be required, or ceased to be, without being described there. */
function undescribed(before: Shape, after: Shape): readonly (readonly [string, boolean])[] {
  const [was, is] = [before.required ?? [], after.required ?? []];
  const fresh = is.filter((one) => !was.includes(one) && !own(after.properties ?? {}, one));
  const gone = was.filter((one) => !is.includes(one) && !own(before.properties ?? {}, one));
  return [...fresh.map((one) => [one, true] as const), ...gone.map((one) => [one, false] as const)];
}

function under(place: Place, token: string): Place {
  return {
    ...place,
    kind: "property",
    pointer: pointerTo(place.pointer, token),
    path: pointerTo(place.path, token),
  };
}
