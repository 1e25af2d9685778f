// Stored links: a user's own OAuth connection, or own key, at an API that no exchange reaches.
// One refresh at a time over all processes; its result is durable before it is used; a link that
// was taken away stays away, whatever was under way.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../config/load.ts";
import type { Clock } from "../kernel/clock.ts";
import { refusal } from "../kernel/errors.ts";
import type { Credential, Principal } from "../kernel/principal.ts";
import { no, ok } from "../kernel/result.ts";
import type { Result } from "../kernel/result.ts";
import { Secret } from "../kernel/secret.ts";
import type { Logger } from "../telemetry/log.ts";
import { INVITATION_MS, Invitations } from "./invitations.ts";
import type { Fault, Granted, ThirdParty } from "./third-party.ts";
import type { DownstreamToken } from "./token.ts";
import { idOf, VaultDamaged } from "./vault.ts";
import type { Opened, Place, Vault, VaultContent, VaultRow, VaultStore } from "./vault.ts";

// A lease must outlive the request that it covers (8 s, identity/guarded-fetch.ts), and a caller
// must outwait a lease: else a second holder sends a refresh token that was used.
const LEASE_MS = 15_000;
const WAIT_MS_MAX = 20_000;
const WAIT_STEP_MS = 50;
// Refreshed a little before its end, so that no call starts with a token about to expire.
const MARGIN_MS_MAX = 30_000;
const MARGIN_PART = 0.2;
const WAITING_PER_LINK_MAX = 16;
const FOREVER_MS = Number.MAX_SAFE_INTEGER;

type OAuthContent = Extract<VaultContent, { kind: "oauth" }>;

export interface ConnectionsOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Logger;
  readonly vault: Vault;
  readonly store: VaultStore;
  readonly servers: ReadonlyMap<string, ThirdParty>;
}

/** One link as an operator, or its owner, may see it: no token is in it. */
export interface LinkView extends Place {
  readonly version: number;
  readonly changed_ms: number;
  readonly state: "connected" | "disconnected" | "damaged" | "in_doubt";
  readonly account: string | undefined;
}

export interface Disconnected {
  readonly was_connected: boolean;
  /** What the API's server said to the revocation; `no_way` where it has none. */
  readonly revoked_upstream: "yes" | "no_way" | "failed" | "nothing_to_revoke";
}

interface Done {
  /** What was sent is answered for: the row is in no doubt. */
  readonly certain: boolean;
  readonly result: Result<Opened>;
}

export class Connections {
  readonly invitations: Invitations;
  private readonly options: ConnectionsOptions;
  private readonly running = new Map<string, Promise<Result<Opened>>>();
  /** Who wants to hear that a link was made, by its id; until the invitation ends. */
  private readonly waiting = new Map<string, Set<() => void>>();

  constructor(options: ConnectionsOptions) {
    this.options = options;
    this.invitations = new Invitations(options.clock);
  }

  /** This user's token for this connector, or the link with which she gives it. */
  async token(
    credential: Credential,
    connector: string,
    scopes: readonly string[],
  ): Promise<Result<DownstreamToken>> {
    const place = placeOf(credential.principal, connector);
    const opened = await this.open(place);
    if (!opened.ok) return opened;
    const found = opened.value;
    if (found === undefined) return this.required(place, credential.issuer_name, "");
    const { content } = found;
    if (content.kind === "key")
      return ok({ token: new Secret(content.key), expires_at_ms: FOREVER_MS });
    if (!scopes.every((scope) => content.scopes.includes(scope))) {
      return this.required(place, credential.issuer_name, "It allows less than this tool needs.");
    }
    const fresh = await this.fresh(place, found);
    if (!fresh.ok && fresh.refusal.code === "connection_required") {
      return this.required(place, credential.issuer_name, fresh.refusal.reason ?? "");
    }
    if (!fresh.ok) return fresh;
    const { content: latest } = fresh.value;
    if (latest.kind !== "oauth") return this.required(place, credential.issuer_name, "");
    const { access_token, expires_ms } = latest;
    return ok({ token: new Secret(access_token), expires_at_ms: expires_ms });
  }

  /** Stores what the person's way through /connect gave. */
  async connect(place: Place, granted: Granted): Promise<void> {
    await this.store(place, contentOf(granted, this.options.clock.now(), undefined), "connected");
    this.tellWaiting(place);
  }

  /** Stores the key that the person pasted. */
  async connectKey(place: Place, key: Secret): Promise<void> {
    await this.store(place, { kind: "key", key: key.reveal() }, "connected");
    this.tellWaiting(place);
  }

  /** Calls `tell` once, when this link is made within the time that an invitation lives. */
  whenConnected(place: Place, tell: () => void): void {
    const id = idOf(place);
    const others = this.waiting.get(id) ?? new Set();
    if (others.size >= WAITING_PER_LINK_MAX) return;
    this.waiting.set(id, others.add(tell));
    setTimeout(() => {
      others.delete(tell);
      if (others.size === 0 && this.waiting.get(id) === others) this.waiting.delete(id);
    }, INVITATION_MS).unref();
  }

  private tellWaiting(place: Place): void {
    const id = idOf(place);
    const all = this.waiting.get(id) ?? [];
    this.waiting.delete(id);
    for (const tell of all) tell();
  }

  private async store(place: Place, content: VaultContent, what: string): Promise<void> {
    // A refresh of the link before may be under way, once; its lease ends with this write.
    for (let tries = 0; tries < 5; tries++) {
      if (await this.options.vault.write(place, content, "whatever", what)) return;
    }
    throw new Error("the link was written by others again and again");
  }

  /** The tombstone first, then the revocation upstream: what runs meanwhile finds no link. */
  async disconnect(place: Place, by: string): Promise<Disconnected> {
    const before = await this.open(place);
    const content = before.ok ? before.value?.content : undefined;
    for (let tries = 0; !(await this.entomb(place, by)); tries++) {
      if (tries === 5) throw new Error("the link was written by others again and again");
    }
    const was_connected = !before.ok || before.value !== undefined;
    if (content?.kind !== "oauth") return { was_connected, revoked_upstream: "nothing_to_revoke" };
    const token = content.refresh_token ?? content.access_token;
    return { was_connected, revoked_upstream: await this.revoke(place.connector, token) };
  }

  private entomb(place: Place, why: string): Promise<boolean> {
    return this.options.vault.write(place, undefined, "whatever", why);
  }

  /** Everybody's links, for operators. */
  async list(): Promise<readonly LinkView[]> {
    const rows = await this.options.store.list();
    return Promise.all(rows.map((row) => this.view(row)));
  }

  /** One link; `undefined` where there never was one. */
  async look(place: Place): Promise<LinkView | undefined> {
    const row = await this.options.store.get(idOf(place));
    return row === undefined ? undefined : this.view(row);
  }

  // Whose row it is, its columns say, and only its id and its seal prove.
  private async view(row: VaultRow): Promise<LinkView> {
    const { tenant, issuer, subject, connector, version, changed_ms, in_doubt } = row;
    const place = { tenant, issuer, subject, connector };
    const opened = row.id === idOf(place) ? await this.open(place) : undefined;
    const content = opened?.ok === true ? opened.value?.content : undefined;
    const connected = in_doubt ? "in_doubt" : "connected";
    const state =
      opened?.ok !== true ? "damaged" : content === undefined ? "disconnected" : connected;
    const oauth = content?.kind === "oauth" ? content : undefined;
    const account = oauth?.account_label ?? oauth?.account;
    return { ...place, version, changed_ms, state, account };
  }

  /** Waits for refreshes under way: what they got must be stored before the store closes. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.running.values());
  }

  async required(place: Place, issuer_name: string, why: string): Promise<Result<never>> {
    const code = await this.invitations.invite(place, issuer_name);
    const { connector } = place;
    const url = `${this.options.config.public_url}/connect/${connector}?e=${code}`;
    const way = `The user can connect ${connector} here, once, within ten minutes: ${url}`;
    const reason = why === "" ? way : `${why} ${way}`;
    return no(refusal("connection_required", { reason, details: { connector, url } }));
  }

  private async open(place: Place): Promise<Result<Opened | undefined>> {
    try {
      return ok(await this.options.vault.open(place));
    } catch (error) {
      if (!(error instanceof VaultDamaged)) throw error;
      const { connector, issuer, subject } = place;
      this.options.log.error(
        { connector, issuer, subject, err: error },
        "a stored link is damaged",
      );
      const url = `${this.options.config.public_url}/connect/${connector}`;
      const reason = `Once an operator has looked into it, the user can connect anew: ${url}`;
      return no(
        refusal("connection_damaged", { reason, details: { connector }, cause: error.message }),
      );
    }
  }

  private async fresh(place: Place, found: Opened): Promise<Result<Opened>> {
    if (this.isFresh(found.content)) return ok(found);
    const id = idOf(place);
    const already = this.running.get(id);
    if (already !== undefined) return already;
    const refresh = this.refreshInTurn(place, id).finally(() => this.running.delete(id));
    this.running.set(id, refresh);
    return refresh;
  }

  private isFresh(content: VaultContent): boolean {
    if (content.kind === "key") return true;
    const { obtained_ms, expires_ms } = content;
    const margin_ms = Math.min(MARGIN_MS_MAX, (expires_ms - obtained_ms) * MARGIN_PART);
    return this.options.clock.now() < expires_ms - margin_ms;
  }

  // Whoever gets the lease refreshes; the others wait for what it wrote.
  private async refreshInTurn(place: Place, id: string): Promise<Result<Opened>> {
    const { store, clock } = this.options;
    const holder = randomUUID();
    const until_ms = clock.monotonic() + WAIT_MS_MAX;
    for (;;) {
      const now_ms = clock.now();
      const leased = await store.lease(id, holder, now_ms, now_ms + LEASE_MS);
      if (leased === "leased") break;
      if (clock.monotonic() > until_ms) return unavailable("another process holds the lease");
      await sleep(WAIT_STEP_MS);
      const seen = await this.found(place);
      if (!seen.ok || this.isFresh(seen.value.content)) return seen;
    }
    let certain = false;
    try {
      const seen = await this.found(place);
      if (!seen.ok || this.isFresh(seen.value.content)) return seen;
      const done = await this.refresh(place, id, holder, seen.value);
      certain = done.certain;
      return done.result;
    } finally {
      await store.release(id, holder, certain);
    }
  }

  private async found(place: Place): Promise<Result<Opened>> {
    const opened = await this.open(place);
    if (!opened.ok) return opened;
    return opened.value === undefined ? gone("It was disconnected.") : ok(opened.value);
  }

  private async refresh(
    place: Place,
    id: string,
    holder: string,
    { row, content }: Opened,
  ): Promise<Done> {
    const server = this.options.servers.get(place.connector);
    if (server === undefined || content.kind !== "oauth" || content.refresh_token === undefined) {
      return { certain: true, result: gone("It has expired.") };
    }
    if (row.in_doubt && server.config.refresh === "rotates") {
      const dead = await this.doubtful(server, content.refresh_token);
      if (dead !== undefined) return { certain: false, result: dead };
    }
    await this.options.store.doubt(id, holder);
    const answer = await server.refresh(content.refresh_token);
    if (!answer.ok) return this.failed(place, row.version, answer.fault);
    const { granted } = answer;
    if (isAnother(content.account, granted.account)) {
      return this.failed(place, row.version, { kind: "mismatch", cause: "another account" });
    }
    const renewed = contentOf(granted, this.options.clock.now(), content);
    // Durable before it is used: from here on the old refresh token may be dead.
    if (await this.options.vault.write(place, renewed, row.version, "refreshed")) {
      return { certain: true, result: await this.found(place) };
    }
    // Disconnected, or connected anew, meanwhile: what we got must not outlive that.
    await this.revoke(place.connector, renewed.refresh_token ?? renewed.access_token);
    return { certain: true, result: await this.found(place) };
  }

  // Somebody sent this refresh token and died, or never heard back. Where the server may have
  // replaced it, sending it again looks like theft and ends what is left: it is asked about first.
  private async doubtful(server: ThirdParty, token: string): Promise<Result<never> | undefined> {
    try {
      const condition = await server.condition(token);
      return condition === "good" ? undefined : gone("Its last refresh was cut off.");
    } catch (error) {
      return unavailable(String(error));
    }
  }

  private async failed(place: Place, version: number, fault: Fault): Promise<Done> {
    const { cause } = fault;
    switch (fault.kind) {
      case "over":
      case "mismatch": {
        await this.options.vault.write(place, undefined, version, `refused: ${fault.kind}`);
        this.options.log.warn({ connector: place.connector, cause }, "a link is over");
        return { certain: true, result: gone("Its server no longer accepts it.") };
      }
      case "refused": {
        const reason = `The API's authorization server said: ${fault.code}.`;
        return { certain: true, result: no(refusal("delegation_refused", { reason, cause })) };
      }
      case "unavailable":
        return { certain: true, result: unavailable(cause) };
      case "unknown":
        return { certain: false, result: unavailable(cause) };
    }
  }

  private async revoke(
    connector: string,
    token: string,
  ): Promise<Disconnected["revoked_upstream"]> {
    const server = this.options.servers.get(connector);
    if (server === undefined) return "no_way";
    try {
      return (await server.revoke(token)) ? "yes" : "no_way";
    } catch (error) {
      this.options.log.error({ connector, err: error }, "a link could not be revoked upstream");
      return "failed";
    }
  }
}

export function placeOf({ tenant, issuer, subject }: Principal, connector: string): Place {
  return { tenant: tenant ?? null, issuer, subject, connector };
}

// What the server does not say again with a refresh stays as it was.
function contentOf(
  granted: Granted,
  now_ms: number,
  before: OAuthContent | undefined,
): OAuthContent {
  const { access_token, lifetime_s, scopes } = granted;
  return {
    kind: "oauth",
    access_token,
    refresh_token: granted.refresh_token ?? before?.refresh_token,
    obtained_ms: now_ms,
    expires_ms: now_ms + lifetime_s * 1000,
    scopes: before === undefined ? scopes : scopes.filter((scope) => before.scopes.includes(scope)),
    account: granted.account ?? before?.account,
    account_label: granted.account_label ?? before?.account_label,
  };
}

function isAnother(before: string | undefined, now: string | undefined): boolean {
  return before !== undefined && now !== undefined && before !== now;
}

function gone(reason: string): Result<never> {
  return no(refusal("connection_required", { reason }));
}

function unavailable(cause: string): Result<never> {
  return no(refusal("delegation_unavailable", { retry_after_ms: 1000, cause }));
}
