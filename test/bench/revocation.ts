// `npm run bench -- revocation [--quick] [--json]`: from the order that somebody is out to the end
// of what she is doing, under load by others. Orders are operators' locks and pushed events; what
// is asked of the provider has its bound. A trial is a person of her own, with a call under way
// that the API holds, and a loop of further calls; nothing of hers may reach the API afterwards.
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { askLocal } from "../../src/console/local.ts";
import { layOut } from "../setup/boundary.ts";
import { startChild } from "../setup/child.ts";
import { ROOT, UNREACHED } from "../setup/core-config.ts";
import { openApi } from "../setup/hostile-peer.ts";
import type { HostileApi } from "../setup/hostile-peer.ts";
import { json, nowS, openProvider } from "../setup/hostile-provider.ts";
import type { HostileProvider } from "../setup/hostile-provider.ts";
import { callTool } from "../setup/mcp-post.ts";
import { markdown, quantile } from "./report.ts";
import type { Measured } from "./load.ts";

const BOUND_MS = 2000;
const LOADERS = 8;
/** A request may be on its way in buffers when the order is answered; not for longer than this. */
const ON_ITS_WAY_MS = 100;
const PLANS = {
  quick: { orders: 100, asked: 20, abreast: 20 },
  full: { orders: 1000, asked: 100, abreast: 20 },
} as const;

interface Stage {
  readonly url: string;
  readonly data: string;
  readonly provider: HostileProvider;
  readonly api: HostileApi;
  /** Who is out, by what introspection says. */
  readonly out: Set<string>;
  /** When the API last saw somebody, by subject. */
  readonly seen_ms: Map<string, number>;
  /** Resolves when the API has the held call of somebody. */
  arrived(sub: string): Promise<void>;
}

interface Trial {
  /** Until the call under way was answered, and until a new one was refused. */
  readonly running_ms: number;
  readonly refused_ms: number;
  readonly late_requests: number;
}

type Order = (stage: Stage, sub: string) => Promise<void>;

const ORDERS: Readonly<Record<string, Order>> = {
  "operator's lock": async ({ data, provider }, sub) => {
    const what = `user:${provider.issuer}#${sub}`;
    await askLocal(data, "core", "/locks/add", { os_user: "bench", what });
  },
  "back-channel logout": async ({ url, provider }, sub) => {
    const claims = { ...pushedBy(provider, "doorless"), sub, exp: nowS() + 60 };
    const events = { "http://schemas.openid.net/event/backchannel-logout": {} };
    const logout_token = await provider.sign({ ...claims, events }, { typ: "logout+jwt" });
    const body = new URLSearchParams({ logout_token });
    await mustBe(200, fetch(`${url}/events/backchannel-logout`, { method: "POST", body }));
  },
  "shared signal": async ({ url, provider }, sub) => {
    const sub_id = { format: "iss_sub", iss: provider.issuer, sub };
    const uri = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
    const claims = { ...pushedBy(provider, "bench"), sub_id, events: { [uri]: {} } };
    const body = await provider.sign(claims, { typ: "secevent+jwt" });
    const headers = { "content-type": "application/secevent+jwt" };
    await mustBe(202, fetch(`${url}/events/ssf`, { method: "POST", headers, body }));
  },
};

function pushedBy({ issuer }: HostileProvider, aud: string) {
  return { iss: issuer, aud, iat: nowS(), jti: randomUUID() };
}

async function mustBe(status: number, answered: Promise<Response>): Promise<void> {
  const response = await answered;
  await response.text();
  if (response.status !== status) throw new Error(`the order was answered with ${response.status}`);
}

export async function benchRevocation(given: { quick: boolean; json: boolean }): Promise<void> {
  const plan = given.quick ? PLANS.quick : PLANS.full;
  await using undo = new AsyncDisposableStack();
  const stage = await openStage(undo);
  const load = await startLoad(stage, undo);
  const report: Record<string, readonly Trial[]> = {};
  for (const [name, order] of Object.entries(ORDERS)) {
    const trials: Trial[] = [];
    while (trials.length < plan.orders) {
      const trial = await orderedTrial(stage, order);
      if (trial !== undefined) trials.push(trial);
    }
    report[name] = trials;
  }
  report[`asked, bound ${BOUND_MS} ms`] = await askedTrials(stage, plan.asked, plan.abreast);
  const others = await load.stop();
  if (given.json) console.log(JSON.stringify({ node: process.version, others, report }));
  else console.log(textReport(report, others));
}

let people = 0;

// Nothing where the machine stood still so long that the provider's answer came too late: that
// ends the call as well, but not by the order.
async function orderedTrial(stage: Stage, order: Order): Promise<Trial | undefined> {
  const sub = `ordered-${++people}`;
  const call = await callerOf(stage, sub);
  const arrived = stage.arrived(sub);
  const running = call("held");
  await arrived;
  const going = { on: true };
  const loop = looping(call, going);
  const began_ms = performance.now();
  const answered = running.then(() => performance.now());
  await order(stage, sub);
  const reported_ms = performance.now();
  // The order was acknowledged: from here on nothing may get through.
  const refused = await call("7");
  const refused_ms = performance.now() - began_ms;
  if (refused === "ok") throw new Error(`${sub} got an answer after the order was acknowledged`);
  const running_ms = (await answered) - began_ms;
  const ended = await running;
  going.on = false;
  if (ended === "identity_unavailable") return undefined;
  if (ended !== "access_revoked") throw new Error(`the call ended as ${ended}`);
  await loop;
  const last_ms = stage.seen_ms.get(sub) ?? 0;
  return { running_ms, refused_ms, late_requests: last_ms - reported_ms > ON_ITS_WAY_MS ? 1 : 0 };
}

async function looping(call: Call, going: { on: boolean }): Promise<void> {
  while (going.on) await call("7");
}

// Nobody pushes anything: the provider only says no when it is asked.
async function askedTrials(stage: Stage, trials: number, abreast: number): Promise<Trial[]> {
  const done: Trial[] = [];
  const one = async (): Promise<Trial> => {
    const sub = `asked-${++people}`;
    const call = await callerOf(stage, sub);
    if ((await call("7")) !== "ok") throw new Error("she was not let in");
    // The provider changes its mind at any moment between two questions.
    await new Promise((later) => void setTimeout(later, Math.random() * BOUND_MS));
    await call("7");
    stage.out.add(sub);
    const began_ms = performance.now();
    while ((await call("7")) === "ok") {
      if (performance.now() - began_ms > 5 * BOUND_MS) throw new Error(`${sub} goes on for ever`);
    }
    const refused_ms = performance.now() - began_ms;
    return { running_ms: refused_ms, refused_ms, late_requests: 0 };
  };
  while (done.length < trials) {
    done.push(...(await Promise.all(Array.from({ length: abreast }, one))));
  }
  return done;
}

/** How one call ends: "ok", an error's code, or an HTTP status. */
type Call = (id: string) => Promise<string>;

async function callerOf({ url, provider }: Stage, sub: string): Promise<Call> {
  const bearer = `Bearer ${await tokenOf(provider, url, sub)}`;
  return async (id) => {
    const { status, error } = await callTool(`${url}/mcp/desk`, bearer, "item_get", { id });
    return status === 200 ? (error?.code ?? "ok") : String(status);
  };
}

function tokenOf(provider: HostileProvider, url: string, sub: string): Promise<string> {
  return provider.sign({
    iss: provider.issuer,
    sub,
    aud: `${url}/mcp/desk`,
    client_id: "bench",
    iat: nowS(),
    exp: nowS() + 3600,
    org: { tenant: "acme", roles: ["staff"] },
    sid: `sign-in-of-${sub}`,
  });
}

async function openStage(undo: AsyncDisposableStack): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), "doorless-bench-"));
  undo.defer(() => rmSync(folder, { recursive: true, force: true }));
  const [provider, api] = await Promise.all([openProvider(), openApi()]);
  undo.defer(() => Promise.all([provider.close(), api.close()]).then(() => undefined));
  writeFileSync(join(folder, "secret"), "a-client-secret");
  const { url, file } = await layOut(folder, provider.issuer, api.origin, {
    issuer: {
      client: { client_id: "doorless", client_secret: "file:secret" },
      liveness: { source: "introspection", bound_ms: BOUND_MS },
      events: {
        backchannel_logout: { client_id: "doorless" },
        shared_signals: { audience: "bench" },
      },
    },
    file: { delegation: { reuse_ms_max: 2000 }, limits: UNREACHED },
  });
  const core = await startChild(join(ROOT, "test", "setup", "core-process.ts"), { args: [file] });
  undo.defer(() => core.stop());
  const waiting = new Map<string, () => void>();
  const stage: Stage = {
    url,
    data: join(folder, "data"),
    provider,
    api,
    out: new Set(),
    seen_ms: new Map(),
    arrived: (sub) => new Promise((resolve) => void waiting.set(sub, resolve)),
  };
  scriptApi(stage, waiting);
  scriptProvider(stage);
  return stage;
}

function scriptApi({ api, seen_ms }: Stage, waiting: Map<string, () => void>): void {
  api.answer = (res, { headers, url }) => {
    const sub = subjectOf(String(headers.authorization));
    seen_ms.set(sub, performance.now());
    api.seen.length = 0;
    if (!url.includes("held")) return json(res, 200, { id: "7", name: "a lamp" });
    waiting.get(sub)?.();
    waiting.delete(sub);
  };
}

function scriptProvider({ provider, out }: Stage): void {
  provider.on.introspection = (_req, res, form) => {
    json(res, 200, { active: !out.has(subjectOf(form?.get("token") ?? "")) });
  };
}

function subjectOf(token: string): string {
  const [, payload = ""] = token.split(".");
  const { sub } = JSON.parse(Buffer.from(payload, "base64url").toString()) as { sub: string };
  return sub;
}

/** Others' calls, as many as fit, from a process of their own. */
async function startLoad({ url, provider }: Stage, undo: AsyncDisposableStack) {
  const child = await startChild(join(ROOT, "test", "bench", "load.ts"));
  undo.defer(() => child.stop());
  const { port, pathname } = new URL(`${url}/mcp/desk`);
  const token = await tokenOf(provider, url, "somebody-else");
  const call = { name: "item_get", args: { id: "7" } };
  const target = { port: Number(port), path: pathname, token, call };
  const what = { era: "2026-07-28", method: "tools/call", expect: '"name":"a lamp"' };
  const round = { target, what, connections: LOADERS, duration_ms: 1000 };
  const going = { on: true };
  const rates: number[] = [];
  let late = 0;
  const rounds = (async () => {
    while (going.on) {
      const { requests, errors, wrong, elapsed_ms } = await child.ask<Measured>("measure", {
        job: round,
      });
      if (errors > 0 && wrong?.includes("identity_unavailable") !== true) {
        throw new Error(`others were hit: ${wrong}`);
      }
      late += errors;
      rates.push((requests * 1000) / elapsed_ms);
    }
  })();
  return {
    async stop() {
      going.on = false;
      await rounds;
      const sorted = rates.toSorted((a, b) => a - b);
      return { per_s: quantile(sorted, 0.5), late };
    },
  };
}

function textReport(
  report: Readonly<Record<string, readonly Trial[]>>,
  { per_s, late: unanswered }: { per_s: number; late: number },
): string {
  const rows = Object.entries(report).flatMap(([name, trials]) => [
    row(name, "call under way ended", trials, ({ running_ms }) => running_ms),
    row("", "next call refused", trials, ({ refused_ms }) => refused_ms),
  ]);
  const late = Object.values(report).flatMap((trials) => trials.filter((t) => t.late_requests > 0));
  return [
    `${process.version}; ${LOADERS} connections of somebody else's meanwhile, ` +
      `${per_s.toFixed(0)} calls/s. Milliseconds from the order to its effect.`,
    "",
    ...markdown(["order", "effect", "trials", "p50", "p90", "p99", "max"], rows),
    "",
    `Requests that reached the API after the order was acknowledged: ${late.length}.`,
    `Others' calls that were refused because the provider did not answer in time: ${unanswered}.`,
  ].join("\n");
}

function row(
  name: string,
  effect: string,
  trials: readonly Trial[],
  of: (trial: Trial) => number,
): string[] {
  const sorted = trials.map(of).toSorted((a, b) => a - b);
  const at = (share: number): string => quantile(sorted, share).toFixed(1);
  return [name, effect, String(trials.length), at(0.5), at(0.9), at(0.99), at(1)];
}
