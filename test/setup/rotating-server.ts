// An authorization server of an API, as strict as they come: each refresh token works once, and one
// that comes twice ends the whole connection. It can be slow, be held, and say anything.
import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { json } from "./hostile-provider.ts";
import { openPeer } from "./hostile-peer.ts";
import type { Peer } from "./hostile-peer.ts";

interface Family {
  readonly name: string;
  live: boolean;
  /** The one refresh token that works. */
  latest: string;
}

export type Behaviour = (req: IncomingMessage, res: ServerResponse) => unknown;

export class RotatingServer {
  readonly issuer: string;
  /** What takes an endpoint over; `undefined` is the honest answer. */
  on: { discovery?: Behaviour; token?: Behaviour; revoke?: Behaviour; introspect?: Behaviour } = {};
  lifetime_s = 1;
  /** Held here before anything is done with them, while this is set. */
  gate: Promise<void> | undefined;
  reuses = 0;
  refreshes = 0;
  readonly revoked: string[] = [];
  private readonly peer: Peer;
  private readonly families = new Map<string, Family>();
  private readonly used = new Set<string>();
  private readonly byRefresh = new Map<string, Family>();
  private readonly byAccess = new Map<string, { family: Family; until_ms: number }>();

  constructor(peer: Peer) {
    this.peer = peer;
    this.issuer = peer.origin;
    peer.serve((req, res) => void this.answer(req, res));
  }

  static async open(): Promise<RotatingServer> {
    return new RotatingServer(await openPeer());
  }

  close(): Promise<void> {
    return this.peer.close();
  }

  /** A new connection, as if its person had just allowed it. */
  grant(name: string) {
    const family = { name, live: true, latest: "" };
    this.families.set(name, family);
    return this.issue(family);
  }

  latest(name: string): string {
    return this.families.get(name)?.latest ?? "";
  }

  isLive(name: string): boolean {
    return this.families.get(name)?.live === true;
  }

  /** Whether an API would take this access token now. */
  accepts(access_token: string): string | undefined {
    const found = this.byAccess.get(access_token);
    return found?.family.live === true && Date.now() < found.until_ms
      ? found.family.name
      : undefined;
  }

  private issue(family: Family) {
    const access_token = `at_${randomBytes(16).toString("hex")}`;
    const refresh_token = `rt_${randomBytes(16).toString("hex")}`;
    family.latest = refresh_token;
    this.byRefresh.set(refresh_token, family);
    // A call that begins with a token must be able to end with it.
    this.byAccess.set(access_token, {
      family,
      until_ms: Date.now() + this.lifetime_s * 1000 + 2000,
    });
    return { access_token, refresh_token, token_type: "Bearer", expires_in: this.lifetime_s };
  }

  private async answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { pathname } = new URL(req.url ?? "/", this.issuer);
    if (pathname.startsWith("/.well-known/")) {
      return void (this.on.discovery ?? (() => json(res, 200, this.metadata())))(req, res);
    }
    if (pathname === "/check") {
      return json(res, 200, { name: this.accepts((await text(req)).trim()) ?? null });
    }
    const kind = pathname.slice(1) as "token" | "revoke" | "introspect";
    const taken = this.on[kind];
    if (taken !== undefined) return void (await taken(req, res));
    const form = new URLSearchParams(await text(req));
    if (kind === "token") return this.refresh(req, res, form.get("refresh_token") ?? "");
    const token = form.get("token") ?? "";
    if (kind === "introspect") {
      const family = this.byRefresh.get(token);
      return json(res, 200, { active: family?.live === true && family.latest === token });
    }
    if (kind !== "revoke") return json(res, 404, {});
    this.revoked.push(token);
    const family = this.byRefresh.get(token);
    if (family !== undefined) family.live = false;
    res.writeHead(200).end();
  }

  private async refresh(req: IncomingMessage, res: ServerResponse, token: string): Promise<void> {
    while (this.gate !== undefined) await this.gate;
    // Whoever died meanwhile has asked for nothing.
    if (req.socket.destroyed) return;
    const family = this.byRefresh.get(token);
    if (family === undefined || !family.live) return json(res, 400, { error: "invalid_grant" });
    if (this.used.has(token)) {
      this.reuses++;
      family.live = false;
      return json(res, 400, { error: "invalid_grant" });
    }
    this.used.add(token);
    this.refreshes++;
    json(res, 200, this.issue(family));
  }

  private metadata(): Record<string, unknown> {
    const { issuer } = this;
    return {
      issuer,
      authorization_endpoint: `${issuer}/auth`,
      token_endpoint: `${issuer}/token`,
      revocation_endpoint: `${issuer}/revoke`,
      introspection_endpoint: `${issuer}/introspect`,
      response_types_supported: ["code"],
      jwks_uri: `${issuer}/jwks`,
    };
  }
}
