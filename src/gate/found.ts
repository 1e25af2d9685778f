// The rooms' answer to "which door?", and to whether what is behind it is stopped.
import type { Door } from "../policy/surface.ts";
import { connectorOf } from "../catalog/definition.ts";
import type { ToolDefinition } from "../catalog/definition.ts";
import type { Refusal } from "../kernel/errors.ts";
import type { Progress, Rooms } from "./call.ts";

/** A step after `door` has one, or the path is broken. */
export function found(progress: Progress): Door {
  if (progress.door === undefined) throw new Error("a step before the door");
  return progress.door;
}

/** Why a tool that the session has may not run: an operator's lock, or its API changed. */
export function stopOn(
  { alive, suspensions }: Pick<Rooms, "alive" | "suspensions">,
  tool: ToolDefinition,
): Refusal | undefined {
  return alive.lockOnTool(tool.name) ?? suspensions.of(tool.name, connectorOf(tool)?.name);
}
