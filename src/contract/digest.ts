// Which schemas are the same, whatever components are called, in whichever order choices stand,
// and whether a schema stands in place or is named. Schemas may be cyclic, so they are told apart
// as states of an automaton are: by partition refinement.
import { hash } from "node:crypto";
import { canonicalJson, fingerprint } from "../kernel/ids.ts";
import { childrenOf, resolve, SUBSCHEMAS, valuesOf } from "./shape.ts";
import type { Defs, Shape } from "./shape.ts";

interface Node {
  /** Everything that it says itself. */
  readonly label: string;
  /** `properties/name` and what stands there; unordered lists share one place. */
  readonly edges: (readonly [string, number])[];
}

/** Schemas, and what their references name. */
export interface Rooted {
  readonly roots: readonly Shape[];
  readonly defs: Defs;
}

const SUBSCHEMA_KEYS = new Set<string>([
  ...SUBSCHEMAS.one,
  ...SUBSCHEMAS.lists,
  ...SUBSCHEMAS.maps,
  "$ref",
  "const",
  "enum",
]);

/** Colours of all schemas that are reached: equal where they are the same. */
export class Colouring {
  private readonly nodes: Node[] = [];
  private readonly index = new Map<Shape, number>();
  private readonly colours: readonly string[];

  constructor(all: readonly Rooted[]) {
    for (const { roots, defs } of all) this.gather(roots, defs);
    this.colours = refined(this.nodes);
  }

  of(shape: Shape, defs: Defs): string {
    const at = this.index.get(target(shape, defs));
    return at === undefined ? "" : (this.colours[at] ?? "");
  }

  /** The whole automaton, each state once. */
  states(): readonly string[] {
    const all = this.nodes.map((node, i) => `${this.colours[i]} ${signature(node, this.colours)}`);
    return [...new Set(all)].toSorted();
  }

  private gather(roots: readonly Shape[], defs: Defs): void {
    const queue = roots.map((root) => target(root, defs));
    const numberOf = (shape: Shape): number => {
      const known = this.index.get(shape);
      if (known !== undefined) return known;
      this.index.set(shape, this.nodes.length);
      queue.push(shape);
      return this.nodes.push({ label: labelOf(shape), edges: [] }) - 1;
    };
    for (const root of queue.splice(0)) numberOf(root);
    for (const shape of queue) {
      const node = this.nodes[numberOf(shape)];
      for (const [place, child] of childrenOf(shape)) {
        const unordered = /^(allOf|anyOf|oneOf)\//.exec(place)?.[1];
        node?.edges.push([unordered ?? place, numberOf(target(child, defs))]);
      }
    }
  }
}

/** The hash of one side of a contract; `skeleton` gives the side with each schema's colour. */
export function digest(
  rooted: Rooted,
  skeleton: (colour: (shape: Shape) => string) => unknown,
): string {
  const colouring = new Colouring([rooted]);
  const side = skeleton((shape) => colouring.of(shape, rooted.defs));
  return fingerprint({ side, states: colouring.states() });
}

// A definition that is nothing but another's name is that other.
function target(shape: Shape, defs: Defs): Shape {
  let here = shape;
  for (let hop = 0; here.$ref !== undefined && hop < 64; hop++) here = resolve(here, defs);
  return here;
}

function labelOf(shape: Shape): string {
  const own = Object.entries(shape).filter(
    ([key, value]) => value === false || !SUBSCHEMA_KEYS.has(key),
  );
  const values = valuesOf(shape);
  return canonicalJson({ own: Object.fromEntries(own), ...(values ? { values } : {}) });
}

function refined(nodes: readonly Node[]): readonly string[] {
  let colours: readonly string[] = nodes.map(() => "");
  for (let classes = 0; ;) {
    const before = colours;
    colours = nodes.map((node) => hash("sha256", signature(node, before), "base64url"));
    const now = new Set(colours).size;
    if (now === classes) return colours;
    classes = now;
  }
}

function signature({ label, edges }: Node, colours: readonly string[]): string {
  const targets = edges.map(([place, to]) => `${JSON.stringify(place)}${colours[to] ?? ""}`);
  return `${label}\n${targets.toSorted().join("\n")}`;
}
