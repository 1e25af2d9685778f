// The rooms' answer to "which door?": a step after `door` has one, or the path is broken.
import type { Door } from "../policy/surface.ts";
import type { Progress } from "./call.ts";

export function found(progress: Progress): Door {
  if (progress.door === undefined) throw new Error("a step before the door");
  return progress.door;
}
