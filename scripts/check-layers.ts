// One-way imports and the rooms of libraries (DESIGN section 3), over src/, demo/ and tools/.
// `node scripts/check-layers.ts [ROOT]`; the table that it enforces is floor-plan.ts.
import { builtinModules } from "node:module";
import { posix, resolve } from "node:path";
import {
  BUILTIN_FILES,
  BUILTIN_ROOMS,
  FREE_LIBRARIES,
  LIBRARY_ROOMS,
  MAY_COMPUTE_IMPORTS,
  MAY_IMPORT_DEMO,
  MAY_IMPORT_ROOT_FILES,
  ROOMS,
  ROOT_FILES,
  TOOLS_MAY_IMPORT,
} from "./floor-plan.ts";
import { importsOf } from "./imports.ts";
import { isCode, listFiles, printFindings, readSource, walk } from "./source.ts";
import type { Finding, Source } from "./source.ts";

/** Which part of the house a path belongs to: `src` with its room, or a top folder. */
interface Place {
  readonly top: string;
  readonly room: string;
}

interface Verdict {
  readonly rule: string;
  readonly mend: string;
}

export interface LayerReport {
  readonly findings: readonly Finding[];
  readonly files: number;
  readonly edges: number;
}

export function checkLayers(root: string): LayerReport {
  const files = ["src", "demo", "tools"].flatMap((top) => listFiles(root, top)).filter(isCode);
  const findings: Finding[] = [];
  const graph = new Map<string, { to: string; line: number }[]>();
  let edges = 0;
  for (const file of files) {
    const source = readSource(root, file);
    findings.push(...strayFile(file), ...consoleUses(source));
    const out: { to: string; line: number }[] = [];
    for (const { specifier, line } of importsOf(source)) {
      const what = `imports ${specifier ?? "something computed"}`;
      const verdict = judge(file, specifier);
      if (verdict !== undefined) findings.push({ file, line, what, ...verdict });
      if (specifier?.startsWith(".") !== true) continue;
      out.push({ to: target(file, specifier), line });
      if (file.startsWith("src/")) edges += 1;
    }
    graph.set(file, out);
  }
  findings.push(...cycles(graph));
  if (edges === 0) findings.push(nothingSeen(files.length));
  return { findings, files: files.length, edges };
}

function judge(file: string, specifier: string | undefined): Verdict | undefined {
  const from = placeOf(file);
  if (specifier === undefined) {
    if (from.top !== "src" || MAY_COMPUTE_IMPORTS.includes(from.room)) return undefined;
    return {
      rule: "computed-import",
      mend: "Name it in a literal, or it goes unchecked.",
    };
  }
  if (specifier.startsWith(".")) return judgeRelative(from, placeOf(target(file, specifier)));
  if (from.top === "tools") return judgeTool(specifier);
  if (from.top === "demo") return judgeDemo(specifier);
  return judgeLibrary(file, from.room, specifier);
}

function judgeRelative(from: Place, to: Place): Verdict | undefined {
  if (from.top !== "src") {
    if (to.top === from.top) return undefined;
    const mend = `${from.top}/ stands alone: move what it needs there, or reach it as users do.`;
    return { rule: `${from.top}-alone`, mend };
  }
  if (to.top === "demo" && MAY_IMPORT_DEMO.includes(from.room)) return undefined;
  if (to.top !== "src") {
    const mend = "src/ may not; tools are loaded by path, only cli/ starts the demo world.";
    return { rule: `no-${to.top}`, mend };
  }
  if (ROOT_FILES.includes(to.room)) {
    if (ROOT_FILES.includes(from.room) || MAY_IMPORT_ROOT_FILES.includes(from.room))
      return undefined;
    return { rule: "composition-root", mend: `${to.room} wires the rooms; take a port instead.` };
  }
  if (ROOT_FILES.includes(from.room) || rank(to.room) <= rank(from.room)) return undefined;
  const mend =
    `${from.room}/ stands above ${to.room}/ in DESIGN section 3. ` +
    `Declare a port in ${from.room}/ and let main.ts wire it, or move the word up.`;
  return { rule: "one-way", mend };
}

function judgeTool(specifier: string): Verdict | undefined {
  if (TOOLS_MAY_IMPORT.includes(specifier)) return undefined;
  return { rule: "tools-alone", mend: `A tool imports ${TOOLS_MAY_IMPORT.join(", ")} only.` };
}

function judgeDemo(specifier: string): Verdict | undefined {
  if (specifier !== "doorless" && !specifier.startsWith("doorless/")) return undefined;
  return { rule: "demo-alone", mend: "The demo world knows nothing of doorless." };
}

function judgeLibrary(file: string, room: string, specifier: string): Verdict | undefined {
  if (specifier.startsWith("node:")) return judgeBuiltin(file, room, specifier);
  if (builtinModules.includes(specifier)) {
    return { rule: "node-prefix", mend: `Write node:${specifier}.` };
  }
  const name = packageOf(specifier);
  if (FREE_LIBRARIES.includes(name) || ROOT_FILES.includes(room)) return undefined;
  const rooms = LIBRARY_ROOMS[name] ?? LIBRARY_ROOMS[`${name.split("/", 1)[0]}/*`];
  if (rooms === undefined) {
    const mend = `${name} has no room: argue it in an ADR, then add it to scripts/floor-plan.ts.`;
    return { rule: "library-room", mend };
  }
  if (rooms.includes(room)) return undefined;
  return { rule: "library-room", mend: `${name} lives in ${rooms.join("/, ")}/ only.` };
}

function judgeBuiltin(file: string, room: string, specifier: string): Verdict | undefined {
  const rooms = BUILTIN_ROOMS[specifier];
  if (rooms === undefined || rooms.includes(room) || ROOT_FILES.includes(room)) return undefined;
  const names = BUILTIN_FILES[specifier];
  if (names?.test(file) === true) return undefined;
  const also = names === undefined ? "" : ` (or a file named ${names.source})`;
  return { rule: "builtin-room", mend: `${specifier} lives in ${rooms.join("/, ")}/ only${also}.` };
}

function strayFile(file: string): Finding[] {
  const { top, room } = placeOf(file);
  if (top !== "src" || ROOMS.includes(room) || ROOT_FILES.includes(room)) return [];
  const mend = `Move it into one of: ${ROOMS.join(" ")}; a new room changes DESIGN section 3.`;
  return [{ file, line: 1, what: `stands in no room (${room})`, rule: "rooms", mend }];
}

function consoleUses(source: Source): Finding[] {
  if (!source.file.startsWith("src/")) return [];
  const findings: Finding[] = [];
  walk(source.parsed.program, (node, parent) => {
    if (node.type !== "Identifier" || node["name"] !== "console") return;
    // Of `a.console` only `globalThis.console` matters, and a key named console is only a name.
    if (parent?.["key"] === node && parent["shorthand"] !== true) return;
    const line = source.lineAt(node.start);
    const mend = "stdout belongs to results and to MCP over stdio: log through telemetry/.";
    findings.push({ file: source.file, line, what: "uses console", rule: "no-console", mend });
  });
  return findings;
}

/** Depth first; each cycle is reported once, at the import that closes it. */
function cycles(graph: ReadonlyMap<string, readonly { to: string; line: number }[]>): Finding[] {
  const findings: Finding[] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    path.push(file);
    for (const { to, line } of graph.get(file) ?? []) {
      const start = path.indexOf(to);
      if (start !== -1) {
        const what = `closes the cycle ${[...path.slice(start), to].join(" -> ")}`;
        const mend = "Move what both need into a file of its own.";
        findings.push({ file, line, what, rule: "no-cycle", mend });
      } else if (!done.has(to)) visit(to);
    }
    path.pop();
    done.add(file);
  };
  for (const file of graph.keys()) if (!done.has(file)) visit(file);
  return findings;
}

function nothingSeen(files: number): Finding {
  return {
    file: "src",
    line: 1,
    what: `no import was seen in ${files} files`,
    rule: "zero-edges",
    mend: "A check that looks at nothing is always green: is the root right, does the parser work?",
  };
}

function placeOf(file: string): Place {
  const [top = "", room = ""] = file.split("/");
  return { top, room };
}

function rank(room: string): number {
  const at = ROOMS.indexOf(room);
  return at === -1 ? Number.POSITIVE_INFINITY : at;
}

function target(file: string, specifier: string): string {
  return posix.normalize(posix.join(posix.dirname(file), specifier));
}

function packageOf(specifier: string): string {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

if (import.meta.main) {
  const report = checkLayers(resolve(process.argv[2] ?? "."));
  printFindings(report.findings);
  console.log(`layers: ${report.files} files, ${report.edges} imports in src`);
  if (report.findings.length > 0) process.exitCode = 1;
}
