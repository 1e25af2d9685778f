// Two versions of one side of a contract, as those who compare a part of them see it.
import type { Findings, Place } from "./findings.ts";
import type { Defs, Shape } from "./shape.ts";

export interface Comparison {
  readonly findings: Findings;
  readonly before: Defs;
  readonly after: Defs;
  /** Takes the pair's turn when the nearer ones had theirs: pointers stay short. */
  later(before: Shape, after: Shape, place: Place): void;
  /** Equal colours are the same schema, on either side. */
  colourBefore(shape: Shape): string;
  colourAfter(shape: Shape): string;
  isSame(before: Shape, after: Shape): boolean;
  /** `info` where the tool never sends what this is about. */
  outOfPlay(place: Place): "info" | undefined;
}
