// Every way in which one file of ours can name another module: static, type-only, dynamic,
// `import("x").T`, `require`, `process.getBuiltinModule`, and `new URL("./x.ts", import.meta.url)`,
// which is how workers are started.
import { isNode, walk } from "./source.ts";
import type { AstNode, Source } from "./source.ts";

export interface Import {
  /** Absent when it is computed at run time, so that nobody can check it. */
  readonly specifier: string | undefined;
  readonly line: number;
}

export function importsOf(source: Source): Import[] {
  const found: Import[] = [];
  walk(source.parsed.program, (node) => {
    const named = namedModule(node);
    if (named === undefined) return;
    found.push({ specifier: literal(named), line: source.lineAt(node.start) });
  });
  return found;
}

function namedModule(node: AstNode): AstNode | undefined {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportAllDeclaration":
    case "ExportNamedDeclaration":
    case "ImportExpression":
    case "TSImportType":
      return asNode(node["source"]);
    case "TSExternalModuleReference":
      return asNode(node["expression"]);
    case "CallExpression":
      return LOADERS.has(calleeName(node)) ? firstArgument(node) : undefined;
    case "NewExpression":
      return siblingUrl(node);
    default:
      return undefined;
  }
}

const LOADERS = new Set(["require", "getBuiltinModule"]);

function calleeName(node: AstNode): string {
  const callee = asNode(node["callee"]);
  const name = callee?.type === "MemberExpression" ? asNode(callee["property"]) : callee;
  return typeof name?.["name"] === "string" ? name["name"] : "";
}

function siblingUrl(node: AstNode): AstNode | undefined {
  if (calleeName(node) !== "URL") return undefined;
  const argument = firstArgument(node);
  const path = argument === undefined ? undefined : literal(argument);
  return path?.startsWith(".") === true && path.endsWith(".ts") ? argument : undefined;
}

function firstArgument(node: AstNode): AstNode | undefined {
  const list = node["arguments"];
  return Array.isArray(list) ? asNode(list[0]) : undefined;
}

function literal(node: AstNode): string | undefined {
  if (node.type === "Literal" && typeof node["value"] === "string") return node["value"];
  const quasis = node["quasis"];
  if (node.type !== "TemplateLiteral" || !Array.isArray(quasis) || quasis.length !== 1) {
    return undefined;
  }
  const quasi: unknown = quasis[0];
  const value = isNode(quasi) ? quasi["value"] : undefined;
  if (typeof value !== "object" || value === null || !("cooked" in value)) return undefined;
  return typeof value.cooked === "string" ? value.cooked : undefined;
}

function asNode(value: unknown): AstNode | undefined {
  return isNode(value) ? value : undefined;
}
