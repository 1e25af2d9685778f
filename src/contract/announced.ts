// What an API announces of an operation in the headers of its answers: since when it is out of use
// (`Deprecation`, RFC 9745, and its older forms) and when it ends (`Sunset`, RFC 8594).
import type { Findings, Place } from "./findings.ts";
import type { Slice } from "./slice.ts";

/** Times as ISO 8601 has them, or `undated`. */
export interface Announced {
  readonly deprecation?: string | undefined;
  readonly sunset?: string | undefined;
}

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/** What cannot be read as one of the forms says nothing: no text of the API's is kept. */
export function announcedIn(headers: Headers): Announced {
  const { deprecation, sunset } = headers;
  if (deprecation === undefined && sunset === undefined) return NOTHING;
  const [since] = [deprecation ?? []].flat().flatMap((text) => sinceIn(text) ?? []);
  // Of several ends the first one counts.
  const [end] = [sunset ?? []]
    .flat()
    .flatMap((text) => dateIn(text) ?? [])
    .toSorted();
  return {
    ...(since === undefined ? {} : { deprecation: since }),
    ...(end === undefined ? {} : { sunset: end }),
  };
}

const NOTHING: Announced = Object.freeze({});
const UNDATED = "undated";

function sinceIn(text: string): string | undefined {
  // A date of structured fields (RFC 9651 section 3.3.7); parameters mean nothing here.
  const seconds = /^@(-?\d{1,12})(?:;.{0,200})?$/.exec(text)?.[1];
  if (seconds !== undefined) return isoOf(Number(seconds) * 1000);
  return /^(?:true|\?1)$/i.test(text) ? UNDATED : dateIn(text);
}

// RFC 9110 section 5.6.7, in the one form that is to be sent.
const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

function dateIn(text: string): string | undefined {
  return HTTP_DATE.test(text) ? isoOf(Date.parse(text)) : undefined;
}

const YEAR_10000_MS = Date.UTC(9999, 11, 31, 23, 59, 59);

function isoOf(time_ms: number): string | undefined {
  const isTime = Math.abs(time_ms) <= YEAR_10000_MS;
  return isTime ? new Date(time_ms).toISOString().replace(".000Z", "Z") : undefined;
}

/** The same as findings; what the pinned contract says already was approved with it. */
export function announce(
  findings: Findings,
  { deprecation, sunset }: Announced,
  pinned: Pick<Slice, "deprecated" | "sunset"> | undefined,
  now_ms: number,
): void {
  if (deprecation !== undefined && pinned?.deprecated !== true) {
    findings.add("endpoint-deprecated", placeOf("deprecation"), { to: deprecation });
  }
  if (sunset === undefined) return;
  if (Date.parse(sunset) < now_ms) {
    findings.add("api-sunset-passed", placeOf("sunset"), { to: sunset });
  } else if (pinned?.sunset?.slice(0, 10) !== sunset.slice(0, 10)) {
    findings.add("endpoint-deprecated-with-sunset", placeOf("sunset"), { to: sunset });
  }
}

function placeOf(header: string): Place {
  return { side: "operation", kind: "", pointer: `/header/${header}`, path: "" };
}
