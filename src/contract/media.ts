// Which of the media types that an API offers a tool uses.

/** Without parameters: `application/json; charset=utf-8` is JSON. */
export function mediaType(written: string): string {
  return (written.split(";")[0] ?? "").trim().toLowerCase();
}

const ORDER: readonly RegExp[] = [
  /^application\/json$/,
  /[/+]json$/,
  /^application\/x-www-form-urlencoded$/,
  /^(?:\*|application)\/\*$/,
];

/** The one that a tool speaks; the first in the alphabet where it speaks none of them. */
export function preferredMedia(types: readonly string[]): string | undefined {
  const sorted = types.toSorted();
  for (const wanted of ORDER) {
    const found = sorted.find((type) => wanted.test(type));
    if (found !== undefined) return found;
  }
  return sorted[0];
}
