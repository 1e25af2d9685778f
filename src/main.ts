// The composition root: the only file that knows everything. It wires the rooms, once.
import { join } from "node:path";
import { rmSync } from "node:fs";
import { boundOf, livenessOf } from "./config/liveness.ts";
import type { Config } from "./config/load.ts";
import { createAdmin } from "./console/admin.ts";
import { watchContracts } from "./console/contract-watch.ts";
import { serveLocal } from "./console/local.ts";
import { lookIn, standsIn } from "./console/look-in.ts";
import { lintHouse, readHouse, tellTools } from "./console/house.ts";
import type { House } from "./console/house.ts";
import { createReload, toolsOnRecord } from "./console/reload.ts";
import type { Connections } from "./delegation/connections.ts";
import { createDelegation } from "./delegation/delegation.ts";
import { openLinks } from "./delegation/open.ts";
import { Gate } from "./gate/gate.ts";
import { openApprovals } from "./gate/open-approvals.ts";
import { openResends } from "./gate/open-resends.ts";
import { openSessions } from "./gate/open-sessions.ts";
import { ResendRecall } from "./gate/resend-recall.ts";
import { createProvider } from "./identity/provider.ts";
import { createSignIn } from "./identity/sign-in.ts";
import { Pushed } from "./identity/pushed.ts";
import type { Ended } from "./identity/pushed.ts";
import type { Provider } from "./identity/provider.ts";
import { createVerifier } from "./identity/verifier.ts";
import { hostToDial } from "./kernel/address.ts";
import type { Clock } from "./kernel/clock.ts";
import { VERSION } from "./kernel/version.ts";
import { createAnchors } from "./ledger/anchors.ts";
import { createSinks } from "./ledger/sinks.ts";
import type { Keyring } from "./ledger/keyring.ts";
import { ledgerIndexFile, openLedger } from "./ledger/ledger.ts";
import { LINE_BYTES_MAX } from "./ledger/fit.ts";
import { freeBytesMin } from "./ledger/free.ts";
import type { Ledger } from "./ledger/ledger.ts";
import { openIndexThread } from "./ledger/index-thread.ts";
import { openSqliteKeyring } from "./ledger/keyring-sqlite.ts";
import { Sealer } from "./ledger/mark.ts";
import { namesFrom } from "./ledger/reveal.ts";
import { spendHistory } from "./ledger/spend-history.ts";
import type { SegmentFile } from "./ledger/wal.ts";
import { Limits } from "./limits/limits.ts";
import { createMcpEndpoint } from "./mcp/endpoint.ts";
import { createBroker } from "./sandbox/broker.ts";
import { openSandbox } from "./sandbox/sandbox.ts";
import { openUpstreams } from "./sandbox/upstream/upstreams.ts";
import type { Sandbox } from "./sandbox/sandbox.ts";
import type { Stops } from "./session/stops.ts";
import { openFolders, openKey } from "./store/folders.ts";
import type { Folders } from "./store/folders.ts";
import { lockFolder } from "./store/lock.ts";
import type { Logger } from "./telemetry/log.ts";
import { Metrics } from "./telemetry/metrics.ts";
import { createPeople } from "./web/people.ts";
import { createWeb } from "./web/server.ts";

export interface CoreOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Logger;
  /** Only the demo may trust the demo's provider. */
  readonly allow_demo: boolean;
  /** Drafts and what nobody approved are loaded too, for their author; on loopback only. */
  readonly for_author?: boolean;
  /** The audit log failed: nothing may run any more, and the process must end. */
  readonly onFatal: (error: unknown) => void;
  /** How the ledger reaches its disk; without it, as files. A disk that fails is put in here. */
  readonly openSegment?: (path: string) => Promise<SegmentFile>;
  /** Hears how many stdio clients of this machine hold on to the core. */
  readonly onAttached?: (count: number) => void;
}

/** One running doorless: the owner of its data folder. */
export interface Core {
  readonly port: number;
  /**
   * Reads the catalogue again, and takes the policy of this configuration where one is given: all
   * of it or, throwing `ConfigError`, nothing. False where nothing is different.
   */
  reload(next?: Config): Promise<boolean>;
  stop(): Promise<void>;
}

// SIGTERM ends everything within 5 s: what still runs by then is cut off, and recorded as unknown.
const DRAIN_MS_MAX = 3000;

/** Starts everything, or throws and leaves nothing behind. */
export async function startCore(options: CoreOptions): Promise<Core> {
  const { config } = options;
  const folders = openFolders(config.data_dir);
  const undo: (() => Promise<void> | void)[] = [];
  const stop = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  try {
    const lock = lockFolder(folders.data);
    undo.push(() => lock.release());
    const sandbox = await openSandbox(config, emptied(folders.data, "sandbox"), { servers: true });
    undo.push(() => sandbox?.close());
    let house = await readHouse(config, sandbox, options.for_author);
    const keyring = openSqliteKeyring(folders, options.clock);
    undo.push(() => keyring.close());
    const sealer = new Sealer(keyring, openKey(join(folders.keys, "ledger-digest.key")));
    const ledger = await openAudit(options, folders, sealer, keyring);
    let started = false;
    undo.push(async () => {
      if (started) await ledger.event("stopped", {}).catch(() => undefined);
      await ledger.close();
    });
    const links = openLinks(options, ledger);
    undo.push(() => links.close());
    const recalled = openRecalled(options, { folders, ledger, sealer, house: () => house });
    undo.push(() => recalled.resends.close());
    const rooms = { ...openRooms(options, links.connections, sandbox), ...recalled, sandbox };
    undo.push(() => rooms.close());
    const metrics = new Metrics();
    const going = openSessions(options, folders.data, rooms);
    undo.push(() => going.close());
    const approvals = openApprovals(options, ledger, going.stops);
    undo.push(() => approvals.close());
    const passed = { ...options, ...rooms, ...going, approvals };
    const decides = { policy: () => house.policy, shadow: () => house.shadow };
    const gate = new Gate({ ...passed, ...decides, metrics, ledger, sealer });
    const mcp = createMcpEndpoint({ ...passed, ...links, gate, version: VERSION });
    undo.push(() => mcp.close());
    going.stops.onChange(({ isLock }) => void (isLock && mcp.toolsChanged(() => true)));
    const ready = (): boolean => ledger.healthy;
    describeMetrics(metrics, rooms.limits, () => mcp.transport_sessions, ready);
    const signIn = createSignIn(config, rooms.providers);
    const people = createPeople({ ...passed, ...links, ...lookIn(() => house), signIn, ledger });
    const onEnded = endingBy(options, ledger, going.stops);
    const web = createWeb({ ...options, ...rooms, gate, mcp, metrics, ready, people, onEnded });
    undo.push(() => web.close(rooms.limits.running.drained(DRAIN_MS_MAX)));
    const port = await web.listen();
    const info = { url: `http://${hostToDial(config.listen.host)}:${port}`, config: config.file };
    const asked = { ...options, ...going, ...links, house: () => house, gate, ledger, sealer };
    const admin = createAdmin({ ...asked, keyring, version: VERSION });
    const local = await serveLocal(folders.data, "core", info, admin, options.onAttached);
    undo.push(() => local.close());
    await sayStarted(ledger, options.log, { house, port, sandbox });
    started = true;
    const drift = watchContracts({ ...passed, ledger, mcp }, () => house);
    undo.push(() => drift.close());
    const reload = createReload({
      ...options,
      read: (next) => readHouse(next, sandbox, options.for_author),
      house: () => house,
      take: (made) => void (approvals.keepOnly(standsIn((house = made))), drift.check()),
      ledger,
      toolsChanged: mcp.toolsChanged,
    });
    return { port, reload, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function openAudit(
  options: CoreOptions,
  folders: Folders,
  sealer: Sealer,
  keyring: Keyring,
): Promise<Ledger> {
  const { config, clock, log, onFatal, openSegment } = options;
  const free_bytes_min = freeBytesMin(config.ledger.disk_free_bytes_min, folders.ledger);
  const { ledger, recovery } = await openLedger({
    ...config.ledger,
    disk_free_bytes_min: free_bytes_min,
    reserve_bytes: reserveOf(config, free_bytes_min),
    folder: folders.ledger,
    index_file: ledgerIndexFile(folders.data),
    keys_folder: folders.keys,
    anchors: createAnchors(config, clock),
    sinks: createSinks(config, clock),
    cursors_folder: join(folders.data, "sinks"),
    isHeld: () => keyring.holds().length > 0,
    log,
    namesOf: namesFrom(sealer),
    digestOf: (tenant, text) => sealer.digestOf(tenant, text),
    openIndex: openIndexThread,
    clock,
    onFatal,
    ...(openSegment === undefined ? {} : { openSegment }),
  });
  if (recovery.orphans > 0 || recovery.cut_bytes > 0) {
    log.warn(recovery, "the last run ended abruptly; the ledger was recovered");
  }
  return ledger;
}

// For the longest end of each call that can run, and no more than is kept free in any case.
function reserveOf({ limits }: Config, free_bytes_min: number): number {
  return Math.min(free_bytes_min, limits.running_calls_max * LINE_BYTES_MAX);
}

function startFacts(
  { config, catalog }: House,
  port: number,
  sandbox?: Sandbox,
): Record<string, unknown> {
  const liveness = Object.entries(config.issuers).map(([name, issuer]) => [
    name,
    { source: livenessOf(issuer).source, bound_ms: boundOf(issuer) },
  ]);
  return {
    version: VERSION,
    policy: config.hash,
    liveness: Object.fromEntries(liveness),
    ...toolsOnRecord(catalog),
    port,
    isolation: isolationOf(sandbox),
  };
}

interface Started {
  readonly house: House;
  readonly port: number;
  readonly sandbox: Sandbox | undefined;
}

/** On record and signed, and in the log with what it cannot promise. */
async function sayStarted(ledger: Ledger, log: Logger, { house, port, sandbox }: Started) {
  await ledger.event("started", startFacts(house, port, sandbox));
  tellGaps(log, house, sandbox);
  await ledger.checkpoint();
}

// What a run that was killed left there.
function emptied(data: string, name: string): string {
  const folder = join(data, name);
  rmSync(folder, { recursive: true, force: true });
  return folder;
}

function isolationOf(sandbox: Sandbox | undefined): Record<string, string> {
  if (sandbox === undefined) return { code_tools: "none", run_code: "none" };
  const [server] = sandbox.servers.keys();
  return {
    ...(server === undefined ? {} : { mcp_servers: sandbox.isolationOfServer(server) ?? "none" }),
    code_tools: sandbox.isolationOf("code"),
    run_code: sandbox.isolationOf("generated"),
  };
}

// Said at every start, so that nobody believes in more than there is.
function tellGaps(log: Logger, house: House, sandbox: Sandbox | undefined): void {
  for (const gaps of new Set(sandbox?.gaps))
    log.warn({ isolation: gaps }, "isolation has known gaps");
  tellTools(log, house.catalog);
  for (const fault of lintHouse(house)) log.warn(fault, "a tool's words may lead a model astray");
  for (const warning of house.policy.warnings()) log.info(warning, "the policy may not mean this");
}

// A sign-in and its user are both ended where both are named: providers differ in which of the two
// the tokens of other clients carry, and one sign-in too many is better than one too few.
function endingBy({ clock }: CoreOptions, ledger: Ledger, stops: Stops) {
  return async ({ issuer, subject, family, at_s, event }: Ended): Promise<void> => {
    const detail = { issuer, subject: subject ?? null, sign_in: family ?? null, event };
    const now_s = Math.floor(clock.now() / 1000);
    // First, and whatever becomes of the record: a log that cannot be written keeps nobody in.
    if (subject !== undefined) stops.end({ kind: "user", issuer, subject, until_s: at_s }, now_s);
    if (family !== undefined) stops.end({ kind: "family", issuer, family }, now_s);
    await ledger.event("revoked", detail);
    // Whoever pushed it says it again.
    if (!stops.keep()) throw new Error("what ended is not on the disk yet");
  };
}

function openRooms(
  { config, clock, allow_demo }: CoreOptions,
  connections: Connections,
  sandbox: Sandbox | undefined,
) {
  const providers = new Map<string, Provider>();
  for (const [name, issuer] of Object.entries(config.issuers)) {
    providers.set(name, createProvider(name, issuer, { clock, allow_demo }));
  }
  const broker = createBroker(config);
  const upstreams = openUpstreams(config, clock, VERSION, sandbox?.servers ?? new Map());
  return {
    providers,
    verifier: createVerifier(config, providers, clock),
    delegation: createDelegation(config, providers, connections, clock),
    broker,
    upstreams,
    pushed: new Pushed(providers.values(), clock),
    async close(): Promise<void> {
      await Promise.all([broker.close(), upstreams.close()]);
      await Promise.all([...providers.values()].map((provider) => provider.close()));
    },
  };
}

interface Recalling {
  readonly folders: Folders;
  readonly ledger: Ledger;
  readonly sealer: Sealer;
  readonly house: () => House;
}

/** What has to know what ran before this start: the limits, and what may be sent again. */
function openRecalled(options: CoreOptions, { folders, ledger, sealer, house }: Recalling) {
  const { config, clock, log } = options;
  const onJump = (by_ms: number): void => {
    log.warn({ by_ms }, "the clock of this machine was set");
    void ledger.eventually("clock", { by_ms });
  };
  const limits = new Limits({ limits: config.limits, clock, onJump });
  const sent = new ResendRecall(config.limits.resend_s * 1000);
  const history = spendHistory(folders.ledger, (line) => sent.hear(line));
  limits.recall(history, (name) => house().catalog.tools.get(name));
  return { limits, resends: openResends(options, folders.data, sealer, sent) };
}

function describeMetrics(
  metrics: Metrics,
  limits: Limits,
  transport_sessions: () => number,
  ready: () => boolean,
): void {
  metrics.gauge("doorless_running_calls", "Tool calls under way", () => limits.running.count);
  metrics.gauge("doorless_limit_keys", "Keys in the table of limits", () => limits.keys);
  metrics.gauge("doorless_transport_sessions", "MCP sessions of 2025 eras", transport_sessions);
  metrics.gauge("doorless_ready", "1 while calls are accepted", () => (ready() ? 1 : 0));
}
