// Promises about code: that a tool in code acts as the user, and that it and what a model writes
// can do nothing else.
import { tmpdir } from "node:os";
import { createBubblewrapBackend } from "../sandbox/backend-bubblewrap.ts";
import { createProcessBackend } from "../sandbox/backend-process.ts";
import type { IsolationBackend } from "../sandbox/backend.ts";
import { probe } from "../sandbox/probe.ts";
import { setStage } from "../sandbox/stage.ts";
import type { Stage as CodeStage } from "../sandbox/stage.ts";
import { must } from "./prove-stage.ts";
import type { Answer, Stage } from "./prove-stage.ts";

export async function codeAsTheUser(stage: Stage): Promise<string> {
  const token = await stage.token("mia", "sales");
  const answer = await stage.call("sales", token, "crm_pipeline_summary", { largest: 2 });
  must(answer.error_code === undefined, `the call failed: ${answer.text}`);
  const rows = (await stage.saasRows()).filter((row) => row.request_id === answer.call_id);
  must(rows.length > 2, `the SaaS saw ${rows.length} requests`);
  must(
    rows.every((row) => row.subject === "mia"),
    "the SaaS saw somebody else",
  );
  const [record] = await stage.ledger({ call_id: answer.call_id });
  must(record?.downstream.length === rows.length, "the record does not list each request");
  return `${rows.length} requests of one tool in code, each as mia, each in its record`;
}

const SEARCH = `
const found = [];
const names = ["process", "require", "fetch", "Buffer", "WebAssembly", "setTimeout", "std", "os"];
const roots = [globalThis, Function("return this")(), api.constructor.constructor("return this")()];
for (const root of roots) for (const name of names) if (root[name] !== undefined) found.push(name);
for (const name of ["node:fs", "std", "/etc/passwd"]) {
  try { await import(name); found.push(name); } catch {}
}
return { found, tools: Object.keys(api) };`;

export async function codeEscapes(stage: Stage): Promise<string> {
  const token = await stage.token("omar", "research");
  const answer = await stage.call("research", token, "run_code", { code: SEARCH });
  const { found, tools } = (valueOf(answer) ?? {}) as { found?: string[]; tools?: string[] };
  must(found?.length === 0, `generated code found ${found?.join(" ") ?? answer.text}`);
  const expected = "analytics_query crm_get_customer crm_search_deals";
  must(tools?.join(" ") === expected, `it has the tools ${tools?.join(" ")}`);
  const said = ["a guest of the engine finds nothing but its three tools"];
  for (const open of [createProcessBackend, jail]) said.push(await attempted(open));
  return said.join("; ");
}

function jail(code: CodeStage): IsolationBackend {
  return createBubblewrapBackend(code.aside);
}

async function attempted(open: (code: CodeStage) => IsolationBackend): Promise<string> {
  const code = setStage(tmpdir());
  try {
    const backend = open(code);
    const { refused, gaps } = await probe(backend, code);
    const known = gaps.length === 0 ? "" : `, known gap: ${gaps.join(", ")}`;
    return `level ${backend.level}: ${refused.length} attempts refused${known}`;
  } catch (error) {
    // The demo does not ask for a jail; a machine without one has one level less, and says so.
    must(open === jail, String(error));
    return "level os cannot be had here";
  } finally {
    code.remove();
  }
}

const RULES = `
const said = [];
for (const args of [{ id: 0 }, { id: "1" }, {}, { id: 1, extra: 1 }]) {
  try { await api.crm_get_customer(args); said.push("went through"); }
  catch (error) { said.push(error.code); }
}
await api.crm_search_deals({ limit: 1 });
return said;`;

export async function codeInside(stage: Stage): Promise<string> {
  const token = await stage.token("omar", "research");
  const answer = await stage.call("research", token, "run_code", { code: RULES });
  const said = (valueOf(answer) ?? []) as string[];
  must(
    said.length === 4 && said.every((code) => code === "invalid_arguments"),
    `answered ${answer.text}`,
  );
  const records = await stage.ledger({ user: "omar" });
  const inside = records.filter((record) => record.parent === answer.call_id);
  const one = inside.find((record) => record.tool === "crm_search_deals");
  must(one?.outcome === "ok", "a call from inside has no record of its own");
  const reached = (await stage.saasRows()).some((row) => row.request_id === one?.call_id);
  must(reached, "the SaaS saw another request");
  return `4 bad calls from inside refused, a good one on record: ${inside.length} records name it`;
}

function valueOf(answer: Answer): unknown {
  const content = answer.result?.["structuredContent"] as { value?: unknown } | undefined;
  return content?.value;
}
