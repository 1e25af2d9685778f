// Sources: which values of which tool's answers a rule asks for, and taking them out of an answer.
import { fingerprint } from "../kernel/ids.ts";
import { valueAt } from "../kernel/json.ts";
import type { SeenFile } from "../config/rules.ts";
import type { Row, Scalar } from "../session/answers.ts";
import type { Condition, Source } from "./says.ts";
import type { Who } from "./who.ts";

export function createSource(file: SeenFile, where: readonly Condition[]): Source {
  const { tool, each, field } = file;
  const asked = Object.keys(file.where ?? {});
  return Object.freeze({
    id: fingerprint({ tool, each: each ?? null, field, asked }),
    tool,
    where,
    rowsOf(result: Readonly<Record<string, unknown>>): readonly Row[] {
      const rows = each === undefined ? [result] : valueAt(result, each);
      if (!Array.isArray(rows)) return [];
      return rows.flatMap((row: unknown): Row[] => {
        const value = valueAt(row, field);
        return isScalar(value) ? [[value, ...asked.map((at) => scalarAt(row, at))]] : [];
      });
    },
    text(who: Who): string {
      const place = `a ${field} that ${tool} answered in this session`;
      const said = asked.map((at, i) => `its ${at} is ${where[i]?.allowed(who) ?? "as required"}`);
      return said.length === 0 ? place : `${place}, where ${said.join(" and ")}`;
    },
  });
}

function isScalar(value: unknown): value is Scalar {
  return ["string", "number", "boolean"].includes(typeof value);
}

// A list or an object is no value to compare: rules that ask for one refuse.
function scalarAt(row: unknown, at: string): Scalar | undefined {
  const value = valueAt(row, at);
  return isScalar(value) ? value : undefined;
}
