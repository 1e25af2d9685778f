// The promises that are checked, each with its attack and its evidence. Ids are those of
// test/requirements.ts; whatever is delivered gets its check here.
import { personNamed } from "../console/people.ts";
import { approvedOnce, nobodyElse } from "./prove-approval.ts";
import { codeAsTheUser, codeEscapes, codeInside } from "./prove-code.ts";
import { driftStops } from "./prove-contracts.ts";
import { doctored } from "./prove-doctor.ts";
import { connected, samePerson } from "./prove-connections.ts";
import { importedAsWritten, readAsServed } from "./prove-import.ts";
import { chain, erased, legalHold, noSinkNoCall, retained, signed } from "./prove-ledger.ts";
import { repeats, runaway } from "./prove-limits.ts";
import { argumentRules, changedLive, seenOnly } from "./prove-policy.ts";
import { endsAnnounced, wholeLists } from "./prove-pages.ts";
import { sentAgain } from "./prove-resend.ts";
import { serversJailed } from "./prove-servers.ts";
import { must } from "./prove-stage.ts";
import { approvedOnly } from "./prove-tools.ts";
import { pinnedByWord } from "./prove-upstream.ts";
import type { Answer, SaasRow, Stage } from "./prove-stage.ts";

export interface Check {
  readonly id: string;
  readonly promise: string;
  /** Resolves with the evidence; throws with what was seen instead. */
  readonly run: (stage: Stage) => Promise<string>;
}

const PEOPLE = ["dana", "mia", "omar", "zoe", "ines", "alex", "olga"];
const AGENTS = ["support", "sales", "research"];

async function asTheUser(stage: Stage): Promise<string> {
  const answer = await stage.call("sales", await stage.token("mia", "sales"), "crm_get_deal", {
    id: 42,
  });
  must(answer.call_id !== undefined, `the call failed: ${answer.text}`);
  const row = (await stage.saasRows()).find((one) => one.request_id === answer.call_id);
  must(row?.subject === "mia", `the SaaS saw ${row?.subject ?? "nobody"}`);
  const [record] = await stage.ledger({ call_id: answer.call_id });
  must(record?.subject === "mia", "our record does not name mia");
  return `the SaaS's own audit log: ${row?.method} ${row?.path} by mia, request ${answer.call_id}`;
}

async function failsWithoutUser(stage: Stage): Promise<string> {
  const token = await stage.token("omar", "sales");
  await stage.demo.world.set("revoke:omar");
  try {
    const before = (await stage.saasRows()).length;
    const answer = await stage.call("sales", token, "crm_get_deal", { id: 43 });
    must(answer.status === 401, `answered ${answer.status} ${answer.text}`);
    must((await stage.saasRows()).length === before, "a request reached the SaaS all the same");
    return "revoked at the provider: 401 invalid_token, and the SaaS received nothing";
  } finally {
    await stage.demo.world.set("restore:omar");
  }
}

async function tokenStays(stage: Stage): Promise<string> {
  await asTheUser(stage);
  const clients = new Set((await stage.saasRows()).map((row) => row.client));
  must(!clients.has("doorless-demo-cli"), "the SaaS saw a token of the MCP client");
  const traces = stage.traces();
  const found = stage.tokens.filter((token) => traces.includes(token.split(".")[2] ?? token));
  must(found.length === 0, `${found.length} tokens stand in files or logs`);
  return `${stage.tokens.length} tokens, none in the ledger, a file or a log line`;
}

async function missingDoor(stage: Stage): Promise<string> {
  let compared = 0;
  for (const [person, agent] of pairs()) {
    const token = await stage.token(person, agent);
    const listed = new Set(namesIn(await stage.list(agent, token)));
    const never = await stage.call(agent, token, "no_such_tool", { id: 1 });
    for (const tool of stage.catalog.filter((name) => !listed.has(name))) {
      const hidden = await stage.call(agent, token, tool, { id: 1 });
      const same = hidden.text === never.text.replaceAll("no_such_tool", tool);
      must(same && hidden.status === never.status, `${person} at ${agent}: ${tool} shows`);
      compared++;
    }
  }
  return `${compared} hidden tools answered byte for byte like no_such_tool`;
}

async function oneObject(stage: Stage): Promise<string> {
  let judged = 0;
  for (const [person, agent] of pairs()) {
    const token = await stage.token(person, agent);
    const listed = namesIn(await stage.list(agent, token));
    const who = personNamed(stage.config, person);
    const allowed = stage.policy.surface(who, agent).list.map((tool) => tool.name);
    must(listed.join() === allowed.join(), `${person} at ${agent} lists ${listed.join(" ")}`);
    for (const tool of stage.catalog) {
      // No tool takes this argument: a door that is there says so, any other does not exist.
      const answer = await stage.call(agent, token, tool, { "": 0 });
      const exists = answer.error_code === "invalid_arguments";
      must(exists === listed.includes(tool), `${person} at ${agent}: ${tool} is ${answer.text}`);
      judged++;
    }
  }
  return `${judged} tools callable if and only if listed, for every person and agent`;
}

function pairs(): readonly (readonly [string, string])[] {
  return PEOPLE.flatMap((person) => AGENTS.map((agent) => [person, agent] as const));
}

function namesIn(answer: Answer): string[] {
  const tools = (answer.result?.["tools"] ?? []) as { name: string }[];
  return tools.map((tool) => tool.name);
}

async function strictTokens(stage: Stage): Promise<string> {
  const good = await stage.token("dana", "support");
  const [header = "", payload = "", signature = ""] = good.split(".");
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as object;
  const encode = (value: object): string =>
    Buffer.from(JSON.stringify(value)).toString("base64url");
  const bad: Record<string, string> = {
    unsigned: `${encode({ alg: "none", typ: "at+jwt" })}.${payload}.`,
    promoted: `${header}.${encode({ ...claims, roles: ["sales_manager"] })}.${signature}`,
    "of another agent": await stage.token("mia", "sales"),
    "no token": "x",
    bent: `${header}.${payload}.${signature.slice(0, -4)}AAAA`,
  };
  for (const [name, token] of Object.entries(bad)) {
    const { status } = await stage.list("support", token);
    must(status === 401, `the token that is ${name} got ${status}`);
  }
  must((await stage.list("support", good)).status === 200, "the good token was refused");
  return `${Object.keys(bad).length} bad tokens: 401 each; the good one: 200`;
}

async function foreignPages(stage: Stage): Promise<string> {
  const token = await stage.token("dana", "support");
  const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
  const page = await stage.raw("support", { ...headers, origin: "http://evil.example" }, "{}");
  must(page.status === 403, `a foreign page got ${page.status}`);
  return "a page of another origin with a stolen token: 403";
}

async function intentFirst(stage: Stage): Promise<string> {
  await asTheUser(stage);
  const intents = new Map((await stage.ledger({})).map((record) => [record.call_id, record]));
  const rows = (await stage.saasRows()).filter((row) => row.path !== "/audit");
  const unaudited = rows.filter((row) => !isEarlier(intents.get(row.request_id)?.time, row));
  must(unaudited.length === 0, `${unaudited.length} requests without an earlier intent`);
  return `${rows.length} requests at the SaaS, each with an intent of ours written before`;
}

function isEarlier(time: string | undefined, row: SaasRow): boolean {
  return time !== undefined && time <= row.time;
}

async function whoChangedThis(stage: Stage): Promise<string> {
  const token = await stage.token("mia", "sales");
  const moved = await stage.call("sales", token, "crm_update_deal_stage", { id: 42, stage: "won" });
  must(moved.error_code === undefined, `the call failed: ${moved.text}`);
  const [record] = await stage.ledger({ record: "deal:42", tool: "crm_update_deal_stage" });
  must(record?.subject === "mia" && record.args["stage"] === "won", "the record does not say so");
  return `deal:42 was changed by ${record?.user}, at ${record?.time}, to stage won`;
}

async function rowPermissions(stage: Stage): Promise<string> {
  const mia = await stage.token("mia", "sales");
  const theft = await stage.call("sales", mia, "crm_update_deal_stage", { id: 43, stage: "lost" });
  must(theft.error_code === "downstream_error", `Mia changed Omar's deal: ${theft.text}`);
  const zoe = await stage.token("zoe", "support");
  const found = await stage.call("support", zoe, "crm_search_customers", { limit: 50 });
  const dana = await stage.token("dana", "support");
  const acme = await stage.call("support", dana, "crm_search_customers", { limit: 50 });
  const shared = customersIn(found).filter((id) => customersIn(acme).includes(id));
  must(shared.length === 0, `Zoe sees Acme's customers ${shared.join(" ")}`);
  const seen = customersIn(found).length;
  return `Mia cannot change Omar's deal; Zoe sees ${seen} customers, none of Acme's`;
}

function customersIn(answer: Answer): number[] {
  const { customers = [] } = (answer.result?.["structuredContent"] ?? {}) as {
    customers?: { id: number }[];
  };
  return customers.map((customer) => customer.id);
}

async function badArguments(stage: Stage): Promise<string> {
  const token = await stage.token("dana", "support");
  const rows = (await stage.saasRows()).length;
  const bad = [{}, { id: "../2" }, { id: 1, extra: true }, { id: -1 }, { id: 1e300 }];
  for (const args of bad) {
    const answer = await stage.call("support", token, "crm_get_customer", args);
    must(answer.error_code === "invalid_arguments", `${JSON.stringify(args)}: ${answer.text}`);
  }
  must((await stage.saasRows()).length === rows, "a bad argument reached the SaaS");
  return `${bad.length} kinds of bad arguments refused; the SaaS received nothing`;
}

// Each would find customers, or another operation, if a part of it stood anywhere but in `q`.
const NOBODY = ["zz9&q=", "zz9&limit=1&q=a", "zz9;q=", "zz9#", "zz9?q=", "zz9%26q=", "zz9+&q="];
const ELSEWHERE = ["/../../mail/messages/zz9", "zz9\r\nX-Role: admin", "zz9\u0000", "zz9%0d%0a"];

async function argumentsStay(stage: Stage): Promise<string> {
  const token = await stage.token("zoe", "support");
  const call = (q: string): Promise<Answer> =>
    stage.call("support", token, "crm_search_customers", { q });
  for (const q of [...NOBODY, ...ELSEWHERE]) {
    const answer = await call(q);
    must(answer.error_code === undefined, `${JSON.stringify(q)}: ${answer.text}`);
    must(customersIn(answer).length === 0, `${JSON.stringify(q)} found somebody`);
    const row = (await stage.saasRows()).find((one) => one.request_id === answer.call_id);
    const went = `${row?.method} ${row?.path}`;
    must(went === "GET /crm/customers", `${JSON.stringify(q)} went to ${went}`);
  }
  const half = await call("\ud800");
  must(half.error_code === "invalid_arguments", `half a character: ${half.text}`);
  const sent = NOBODY.length + ELSEWHERE.length;
  return `${sent} texts in a query stayed there; half a character was refused`;
}

async function failsClosed(stage: Stage): Promise<string> {
  const token = await stage.token("mia", "research");
  await stage.demo.world.set("api:down");
  const noApi = await stage.call("research", token, "crm_search_deals", {});
  await stage.demo.world.set("api:up");
  const fresh = await stage.token("mia", "research");
  await stage.demo.world.set("idp:down");
  const noProvider = await stage.call("research", fresh, "crm_search_deals", {});
  await stage.demo.world.set("idp:up");
  must(noApi.error_code === "downstream_unavailable", `without the API: ${noApi.text}`);
  must(noProvider.status === 503, `without provider: ${noProvider.status} ${noProvider.text}`);
  must(noProvider.text.includes("identity_unavailable"), `without provider: ${noProvider.text}`);
  return "API down: downstream_unavailable; provider down: identity_unavailable; no stale answer";
}

async function locked(stage: Stage): Promise<string> {
  const token = await stage.token("mia", "sales");
  const call = (): Promise<Answer> => stage.call("sales", token, "crm_get_deal", { id: 42 });
  must((await call()).error_code === undefined, "the call failed before the lock");
  for (const what of ["user:mia", "agent:sales", "tool:crm_get_deal", "all"]) {
    await stage.ask("/locks/add", { what, reason: "a suspicion of ours" });
    const rows = (await stage.saasRows()).length;
    const answer = await call();
    await stage.ask("/locks/rm", { what });
    must(answer.error_code === "locked", `${what} is locked: ${answer.text}`);
    must(!answer.text.includes("suspicion"), "the operator's reason reached the agent");
    must((await stage.saasRows()).length === rows, `${what} is locked: the SaaS got a request`);
  }
  must((await call()).error_code === undefined, "the call fails after the lock");
  return "a user, an agent, a tool, everything: locked at once, the reason kept, and unlocked";
}

async function pushed(stage: Stage): Promise<string> {
  const token = await stage.token("dana", "support");
  must((await stage.list("support", token)).status === 200, "Dana was not let in");
  await stage.demo.world.set("revoke:dana");
  const began = performance.now();
  const { status } = await stage.list("support", token);
  const ms = Math.round(performance.now() - began);
  await stage.demo.world.set("restore:dana");
  must(status === 401, `after the provider's event she got ${status}`);
  must((await stage.list("support", token)).status === 401, "her old token came back to life");
  return `the provider disabled Dana's account and pushed it: 401 to her next request, in ${ms} ms`;
}

async function killed(stage: Stage): Promise<string> {
  const token = await stage.token("zoe", "support");
  await stage.list("support", token);
  const { sessions } = (await stage.ask("/sessions", {})) as {
    sessions: { id: string; subject: string }[];
  };
  const session = sessions.find(({ subject }) => subject === "zoe")?.id ?? "";
  await stage.ask("/sessions/kill", { session });
  must((await stage.list("support", token)).status === 401, "the ended session goes on");
  const other = await stage.list("support", await stage.token("zoe", "support"));
  must(other.status === 200, "a new sign-in is refused");
  return `session ${session} ended: its sign-in is 401 for good, a new one is let in`;
}

async function sealed(stage: Stage): Promise<string> {
  const token = await stage.token("mia", "sales");
  const note = "between you and me: prove-canary";
  const args = { id: 42, stage: "won", note };
  const answer = await stage.call("sales", token, "crm_update_deal_stage", args);
  must(answer.error_code === undefined, `the call failed: ${answer.text}`);
  const [record] = await stage.ledger({ call_id: answer.call_id });
  const kept = JSON.stringify(record?.args["note"]);
  must(kept.includes('"sealed"'), `the record holds ${kept}`);
  must(!stage.traces().includes("prove-canary"), "the text stands in a file or a log line");
  return "a note to a deal: sealed in the record under Mia's key, in no file readable";
}

const check = (id: string, promise: string, run: Check["run"]): Check => ({ id, promise, run });

export const CHECKS: readonly Check[] = [
  check("identity.as-the-user", "a call runs as the authenticated human", asTheUser),
  check("identity.fails-without-user", "a revoked user's call fails and says so", failsWithoutUser),
  check("identity.token-stays", "the client's token goes no further than the door", tokenStays),
  check("revocation.lock", "an operator's lock holds when the verb returns", locked),
  check("revocation.pushed", "what the provider pushes holds at once", pushed),
  check("revocation.sessions", "an ended session stays ended", killed),
  check("connections.connect", "an API's own accounts are used as who linked hers", connected),
  check("connections.same-person", "a forwarded link connects nobody to anybody", samePerson),
  check("auth.jwt-strict", "a token that is wrong in any way opens nothing", strictTokens),
  check("auth.host-and-origin", "a foreign web page cannot call", foreignPages),
  check("surface.missing-door", "a hidden tool does not exist, byte for byte", missingDoor),
  check("surface.one-object", "a tool is callable if and only if it is listed", oneObject),
  check("bad-input.arguments", "bad arguments reach nothing", badArguments),
  check("broker.styles", "an argument stays where it belongs in a request", argumentsStay),
  check("cli.doctor", "what is wrong is found, and nothing else", doctored),
  check("approval.once", "what a human must approve runs once, as approved", approvedOnce),
  check("approval.yours-alone", "nobody else approves, nor does the client", nobodyElse),
  check("resend.once", "a write that is sent again runs once, answered alike", sentAgain),
  check("demo.row-permissions", "the API's own permissions hold behind us", rowPermissions),
  check("contract.pages", "a list is whole, or an error that says how to narrow", wholeLists),
  check("contract.announced", "an API's announced end is told, and stops the tool", endsAnnounced),
  check("contract.live", "a changed API stops what it breaks, loudly", driftStops),
  check("bad-input.provider", "without API or provider it fails closed", failsClosed),
  check("ledger.intent-first", "no request without an earlier intent in the log", intentFirst),
  check("ledger.who-changed-this", "who changed this record? has an answer", whoChangedThis),
  check("ledger.chain", "the log shows when it was changed", chain),
  check("ledger.sealed", "what people write is not readable in the log", sealed),
  check("ledger.signed", "the log is signed: what is cut, rewritten or forged shows", signed),
  check("ledger.retention", "what was taken away is not what was dropped", retained),
  check("ledger.no-sink-no-call", "without its log nothing runs, and says why", noSinkNoCall),
  check("ledger.erase", "an erased person's text is gone, and the log is whole", erased),
  check("ledger.hold", "who is under a legal hold is not erased", legalHold),
  check("sandbox.code-tool", "a tool in code acts as the user, on record", codeAsTheUser),
  check("sandbox.escape", "tool code and generated code can do nothing else", codeEscapes),
  check("sandbox.inner-calls", "generated code gets past no rule and no record", codeInside),
  check("servers.jail", "a local MCP server gets at nothing but its own files", serversJailed),
  check("import.demo", "tools ask for what the API's own document says", importedAsWritten),
  check("import.code-demo", "the API's source has the operations of its document", readAsServed),
  check("upstream.drift", "a word that an MCP server changes stops its tool alone", pinnedByWord),
  check("tools.lock", "what nobody approved as it is does not exist", approvedOnly),
  check("policy.rules", "arguments that the rules do not allow are refused", argumentRules),
  check("policy.seen", "mail goes only where the session has read that it may", seenOnly),
  check("policy.live", "a changed policy counts at once, and a broken one never", changedLive),
  check("limits.loop", "a runaway loop hits a wall and starves nobody else", runaway),
  check("limits.repeats", "who repeats himself is stopped, and told what repeated", repeats),
];
