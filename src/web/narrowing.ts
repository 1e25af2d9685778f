// The headers by which a client makes its own surface smaller (INTERFACE). They cannot widen it.
import type { IncomingHttpHeaders } from "node:http";
import { NO_NARROWING } from "../policy/surface.ts";
import type { Narrowing } from "../policy/surface.ts";

/** An empty `Doorless-Tools` means no tools: empty never means all. */
export function narrowingOf(headers: IncomingHttpHeaders): Narrowing {
  const names = headers["doorless-tools"];
  const readOnly = headers["doorless-read-only"];
  if (names === undefined && readOnly === undefined) return NO_NARROWING;
  const listed = names === undefined ? undefined : [names].flat().join(",").split(",");
  return {
    tools: listed === undefined ? undefined : new Set(listed.map((name) => name.trim())),
    // Anything but a clear "false" narrows: a typing mistake must not open writes.
    read_only: readOnly !== undefined && String(readOnly).trim().toLowerCase() !== "false",
  };
}
