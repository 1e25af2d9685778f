// Which requirement ids the tests cite: the first argument of every `verifies(...)` call.
import { isNode, listFiles, readSource, walk } from "./source.ts";

export interface Citation {
  readonly id: string;
  readonly file: string;
  readonly line: number;
}

/** Throws on an id that is not written as a literal: it could not be counted. */
export function citations(root: string): Citation[] {
  const found: Citation[] = [];
  for (const file of listFiles(root, "test").filter((name) => name.endsWith(".test.ts"))) {
    const source = readSource(root, file);
    walk(source.parsed.program, (node) => {
      const callee = node["callee"];
      if (node.type !== "CallExpression" || !isNode(callee) || callee["name"] !== "verifies")
        return;
      const line = source.lineAt(node.start);
      for (const id of literals(node["arguments"])) {
        if (id === undefined) throw new Error(`${file}:${line} cites an id that is no literal`);
        found.push({ id, file, line });
      }
    });
  }
  return found;
}

function literals(args: unknown): (string | undefined)[] {
  const first: unknown = Array.isArray(args) ? args[0] : undefined;
  if (!isNode(first)) return [undefined];
  const list = first.type === "ArrayExpression" ? first["elements"] : [first];
  const nodes: unknown[] = Array.isArray(list) ? list : [];
  return nodes.map((node) =>
    isNode(node) && typeof node["value"] === "string" ? node["value"] : undefined,
  );
}
