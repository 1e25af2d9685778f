// `npm run bench -- import [--json]`: every operation of each public document as a draft, and the
// most memory that took. `DOORLESS_TEST_DATA` names the folder of the documents.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { operationsOf, propose } from "../../src/catalog/openapi/propose.ts";
import { withDocument } from "../../src/catalog/openapi/source.ts";
import { API } from "../setup/openapi.ts";

interface Row {
  readonly document: string;
  readonly operations: number;
  readonly drafts: number;
  readonly read_ms: number;
  readonly convert_ms: number;
  /** Of the process so far, so that the first document's is its own. */
  readonly peak_mib: number;
}

export async function benchImport({ json, only }: { json: boolean; only: string }): Promise<void> {
  const data = process.env["DOORLESS_TEST_DATA"];
  if (data === undefined) throw new Error("DOORLESS_TEST_DATA is not set");
  const folder = join(data, "openapi");
  const files = readdirSync(folder).filter((name) => /\.(?:json|yaml)$/.test(name));
  const rows: Row[] = [];
  // The largest first: what it takes, no other one has taken before.
  const large = files.toSorted(
    (a, b) => Number(b.includes("github-n")) - Number(a.includes("github-n")),
  );
  for (const file of large.filter((name) => name.includes(only)))
    rows.push(await row(folder, file));
  if (json) console.log(JSON.stringify(rows));
  else console.table(rows);
}

async function row(folder: string, document: string): Promise<Row> {
  const began = performance.now();
  const options = { allow_private: false, progress: () => undefined };
  return withDocument(join(folder, document), options, async (tree) => {
    const listed = await operationsOf(tree);
    const read = performance.now();
    const none = { names: new Map<string, undefined>(), own: new Map<string, string>() };
    const { drafts } = await propose(tree, listed, API, none);
    return {
      document,
      operations: listed.length,
      drafts: drafts.length,
      read_ms: Math.round(read - began),
      convert_ms: Math.round(performance.now() - read),
      peak_mib: Math.round(process.resourceUsage().maxRSS / 1024),
    };
  });
}
