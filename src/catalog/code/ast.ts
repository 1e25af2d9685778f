// A parsed file as a tree of plain nodes (ESTree), and how to look at one without trusting it.

export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

export interface Source {
  /** Below the folder that is read, with forward slashes. */
  readonly file: string;
  readonly text: string;
  readonly program: Node;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}

export function nodeAt(node: Node, key: string): Node | undefined {
  const value = node[key];
  return isNode(value) ? value : undefined;
}

/** A list of nodes; what is left out in a list of elements is `undefined`. */
export function nodesAt(node: Node, key: string): readonly (Node | undefined)[] {
  const value = node[key];
  return Array.isArray(value) ? value.map((one) => (isNode(one) ? one : undefined)) : [];
}

export function wordAt(node: Node | undefined, key: string): string {
  const value = node?.[key];
  return typeof value === "string" ? value : "";
}

/** Every node below, parents first, in the order of the text. */
export function* nodesBelow(root: Node): Generator<Node> {
  const next: Node[] = [root];
  for (let node = next.pop(); node !== undefined; node = next.pop()) {
    yield node;
    const inner: Node[] = [];
    for (const value of Object.values(node)) {
      if (isNode(value)) inner.push(value);
      // One by one: a list of data has more items than a call may have arguments.
      else if (Array.isArray(value)) for (const one of value) if (isNode(one)) inner.push(one);
    }
    for (const one of inner.toReversed()) next.push(one);
  }
}

/** Of `a.b(…)` the line of the `b`: a chain of calls begins somewhere else. */
export function lineOf(source: Source, node: Node): number {
  const callee = node.type === "CallExpression" ? nodeAt(node, "callee") : undefined;
  const { start } = (callee === undefined ? undefined : nodeAt(callee, "property")) ?? node;
  const starts = startsOf(source);
  let [low, high] = [0, starts.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((starts[middle] ?? 0) <= start) low = middle;
    else high = middle;
  }
  return low + 1;
}

const lineStarts = new WeakMap<Source, readonly number[]>();

function startsOf(source: Source): readonly number[] {
  const known = lineStarts.get(source);
  if (known !== undefined) return known;
  const starts = [0, ...[...source.text.matchAll(/\n/g)].map(({ index }) => index + 1)];
  lineStarts.set(source, starts);
  return starts;
}

/** What stands there, in one line. */
export function shown({ text }: Source, node: Node): string {
  const words = text.slice(node.start, node.start + 200).split("\n", 1)[0] ?? "";
  const own = words.slice(0, Math.min(node.end - node.start, 70)).trim();
  return own.length < node.end - node.start ? `${own}…` : own;
}

/** An `x.get("/y", …)`: what it is called on, and by which name. */
export function methodOf(call: Node): { readonly on: Node; readonly name: string } | undefined {
  const callee = nodeAt(call, "callee");
  if (call.type !== "CallExpression" || callee?.type !== "MemberExpression") return undefined;
  const [on, property] = [nodeAt(callee, "object"), nodeAt(callee, "property")];
  if (on === undefined || property === undefined || callee["computed"] === true) return undefined;
  return { on, name: wordAt(property, "name") };
}

/** The node's text in a literal or a template without holes. */
export function literalOf(node: Node | undefined): string | undefined {
  if (node?.type === "Literal" && typeof node["value"] === "string") return node["value"];
  if (node?.type !== "TemplateLiteral") return undefined;
  const quasis = nodesAt(node, "quasis");
  return quasis.length === 1 ? cookedOf(quasis[0]) : undefined;
}

export function cookedOf(quasi: Node | undefined): string {
  const value = quasi?.["value"];
  if (typeof value !== "object" || value === null || !("cooked" in value)) return "";
  return typeof value.cooked === "string" ? value.cooked : "";
}

const FUNCTIONS: ReadonlySet<string> = new Set([
  "FunctionDeclaration",
  "FunctionExpression",
  "ArrowFunctionExpression",
]);

export function isFunction(node: Node): boolean {
  return FUNCTIONS.has(node.type);
}
