// /connect/CONNECTOR: where a person links her own account. The same person is proved twice, at the
// start and at the way back: a link that is forwarded, at either end, connects nothing.
// @see docs/adr/0012-connecting-an-account.md
import type { Context, Hono } from "hono";
import type { Config } from "../config/load.ts";
import { placeOf } from "../delegation/connections.ts";
import type { Connections } from "../delegation/connections.ts";
import { INVITATION_MS } from "../delegation/invitations.ts";
import type { ThirdParty } from "../delegation/third-party.ts";
import type { Place } from "../delegation/vault.ts";
import type { Clock } from "../kernel/clock.ts";
import { own } from "../kernel/own.ts";
import type { Principal } from "../kernel/principal.ts";
import { Secret } from "../kernel/secret.ts";
import type { Logger } from "../telemetry/log.ts";
import type { BrowserSession } from "./browsers.ts";
import { connectedAs, connectPage, notYoursPage, onwardPage } from "./connect-pages.ts";
import { wordsPage } from "./layout.ts";
import { GO_BACK, isPerson } from "./reception.ts";
import type { Reception } from "./reception.ts";

const KEY = /^[\x21-\x7e]{8,4096}$/;

export interface ConnectOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Logger;
  readonly connections: Connections;
  readonly servers: ReadonlyMap<string, ThirdParty>;
  /** The API's name as people know it. */
  readonly titleOf: (connector: string) => string;
  /** Whether any agent gives this person a tool that needs the connector. */
  readonly isFor: (person: Principal, connector: string) => boolean;
}

/** Adds /connect/… to the pages of people. */
export function addConnect(app: Hono, reception: Reception, options: ConnectOptions): void {
  const pages = new ConnectPages(reception, options);
  app.get("/connect/:connector", (c) => pages.show(c, c.req.param("connector")));
  app.post("/connect/:connector", (c) => pages.act(c, c.req.param("connector")));
  app.get("/connect/:connector/callback", (c) => pages.arrived(c, c.req.param("connector")));
}

class ConnectPages {
  private readonly reception: Reception;
  private readonly options: ConnectOptions;

  constructor(reception: Reception, options: ConnectOptions) {
    this.reception = reception;
    this.options = options;
  }

  /** GET: who are you, is this link yours, and what would you allow? */
  async show(c: Context, connector: string): Promise<Response> {
    const code = c.req.query("e");
    const session = this.reception.sessionOf(c);
    const again = c.req.query("as") === "other";
    if (session === undefined || again) return this.askWho(c, connector, code, again);
    const place = await this.placeFor(c, session, connector, code);
    if (place instanceof Response) return place;
    return this.showConnector(c, session, place, code);
  }

  private async askWho(c: Context, connector: string, code: string | undefined, again: boolean) {
    const { invitations } = this.options.connections;
    const invitation = code === undefined ? undefined : await invitations.look(code);
    const path = `/connect/${encodeURIComponent(connector)}`;
    const query = code === undefined ? {} : { e: code };
    const issuer = invitation?.issuer_name;
    return this.reception.askWho(c, { path, query, issuer, again });
  }

  /** Whose link this is about, or the page that says no. */
  private async placeFor(
    c: Context,
    session: BrowserSession,
    connector: string,
    code: string | undefined,
  ): Promise<Place | Response> {
    const { connections, isFor } = this.options;
    if (code === undefined || code === "") {
      if (this.kindOf(connector) !== undefined && isFor(session.person, connector)) {
        return placeOf(session.person, connector);
      }
      return this.reception.nothing(c);
    }
    const invitation = await connections.invitations.look(code);
    if (invitation === undefined || invitation.place.connector !== connector) {
      const text = "This link was used, or is older than ten minutes.";
      return this.reception.page(c, 410, "This link has ended", wordsPage(text, GO_BACK));
    }
    if (isPerson(invitation.place, session.person)) return invitation.place;
    await this.refused(session, "link of another person opened", connector);
    const again = `/connect/${connector}?e=${encodeURIComponent(code)}&as=other`;
    return this.reception.page(
      c,
      403,
      "This is not your link",
      notYoursPage(session.person.name, again),
    );
  }

  private async showConnector(
    c: Context,
    session: BrowserSession,
    place: Place,
    invitation: string | undefined,
  ): Promise<Response> {
    const { config, connections, titleOf } = this.options;
    const { connector } = place;
    const title = titleOf(connector);
    const delegation = config.connectors[connector]?.delegation;
    const link = await connections.look(place);
    let server: string | undefined;
    try {
      server = await this.options.servers.get(connector)?.origin();
    } catch (error) {
      return this.reception.unreachable(c, String(error));
    }
    const body = connectPage({
      title,
      person: session.person.name,
      csrf: session.csrf,
      invitation,
      server: server === undefined ? undefined : new URL(server).host,
      scopes: delegation?.kind === "connection" ? delegation.scopes : [],
      key_help: delegation?.kind === "key" ? delegation.help : undefined,
      connected_as: connectedAs(link),
    });
    return this.reception.page(c, 200, `Connect ${title}`, body);
  }

  /** POST: the person said yes, or no more. */
  async act(c: Context, connector: string): Promise<Response> {
    const form = await this.reception.formOf(c);
    if (form instanceof Response) return form;
    const { session, said } = form;
    const code = said("e");
    const place = await this.placeFor(c, session, connector, code);
    if (place instanceof Response) return place;
    switch (said("act")) {
      case "disconnect":
        return this.disconnect(c, place);
      case "key":
        return this.takeKey(c, place, code, said("key").trim());
      case "connect":
        return this.depart(c, session, place, code);
      default:
        return this.reception.unknownButton(c);
    }
  }

  private async depart(c: Context, session: BrowserSession, place: Place, code: string) {
    const { servers, connections, clock } = this.options;
    const server = servers.get(place.connector);
    if (server === undefined) return this.reception.nothing(c);
    let departure: Awaited<ReturnType<ThirdParty["depart"]>>;
    try {
      departure = await server.depart(this.callbackUrl(place.connector));
    } catch (error) {
      return this.reception.unreachable(c, String(error));
    }
    // From here on the link is used, whatever comes of it.
    const made_ms = code === "" ? clock.now() : (await connections.invitations.use(code))?.made_ms;
    if (made_ms === undefined)
      return this.reception.page(c, 410, "This link has ended", wordsPage(GO_BACK));
    const { url, state, verifier } = departure;
    const ends_ms = made_ms + INVITATION_MS;
    this.reception.browsers.depart(session, state, {
      place,
      departure: { state, verifier },
      ends_ms,
    });
    // Not a redirect: browsers hold those that follow a form to this page's form-action, and nobody
    // can list where a server sends people on to.
    c.header("refresh", `0; url=${url.href}`);
    return this.reception.page(c, 200, `To ${url.host}`, onwardPage(url));
  }

  /** Back from the API's authorization server: in the browser that left, as the person who left? */
  async arrived(c: Context, connector: string): Promise<Response> {
    const { connections, servers, titleOf } = this.options;
    const session = this.reception.sessionOf(c);
    const state = c.req.query("state") ?? "";
    const journey =
      session === undefined ? undefined : this.reception.browsers.arrive(session, state);
    const server = servers.get(connector);
    if (session === undefined || journey === undefined || server === undefined) {
      await this.refused(session, "arrived without having left", connector);
      const text =
        "You came back from a sign-in that you did not begin here, or began more than ten " +
        "minutes ago. Nothing was connected. If somebody sent you a link, do not follow it.";
      return this.reception.page(c, 403, "Nothing was connected", wordsPage(text, GO_BACK));
    }
    if (journey.place.connector !== connector || !isPerson(journey.place, session.person)) {
      await this.refused(session, "arrived as another person", connector);
      return this.reception.page(
        c,
        403,
        "Nothing was connected",
        wordsPage("You are not who left.", GO_BACK),
      );
    }
    const title = titleOf(connector);
    const answer = await server.arrive(this.reception.arrivedAt(c), journey.departure);
    if (!answer.ok) {
      const { kind, cause } = answer.fault;
      this.options.log.warn({ connector, kind, cause }, "an account could not be connected");
      const text =
        kind === "refused" ? `${title} did not allow it.` : `${title} did not answer well.`;
      return this.reception.page(c, 502, "Nothing was connected", wordsPage(text, GO_BACK));
    }
    await connections.connect(journey.place, answer.granted);
    const as = answer.granted.account_label ?? answer.granted.account;
    const text = `${title} is connected${as === undefined ? "" : ` as ${as}`}.`;
    return this.reception.page(
      c,
      200,
      "Connected",
      wordsPage(text, "Go back to your agent: it can go on now."),
    );
  }

  private async takeKey(c: Context, place: Place, code: string, key: string): Promise<Response> {
    const { config, connections, titleOf } = this.options;
    const title = titleOf(place.connector);
    if (config.connectors[place.connector]?.delegation?.kind !== "key") {
      return this.reception.nothing(c);
    }
    if (!KEY.test(key)) {
      const text = "That does not look like a key: 8 to 4096 letters, digits and signs, no spaces.";
      return this.reception.page(
        c,
        422,
        "Nothing was connected",
        wordsPage(text, "Go back, and paste it again."),
      );
    }
    if (code !== "" && (await connections.invitations.use(code)) === undefined) {
      return this.reception.page(c, 410, "This link has ended", wordsPage(GO_BACK));
    }
    await connections.connectKey(place, new Secret(key));
    const more = "Go back to your agent: it can go on now.";
    return this.reception.page(c, 200, "Connected", wordsPage(`${title} is connected.`, more));
  }

  private async disconnect(c: Context, place: Place): Promise<Response> {
    const title = this.options.titleOf(place.connector);
    const { revoked_upstream } = await this.options.connections.disconnect(place, "the person");
    const told = {
      yes: `${title} has forgotten it, too.`,
      no_way: `${title} offers no way to be told: take the permission away in your account there.`,
      failed: `${title} could not be told: take the permission away in your account there.`,
      nothing_to_revoke: `Delete the key in your account at ${title}, too.`,
    }[revoked_upstream];
    return this.reception.page(
      c,
      200,
      "Disconnected",
      wordsPage("Your agents no longer have it.", told),
    );
  }

  private refused(session: BrowserSession | undefined, what: string, connector: string) {
    return this.reception.report(session, "connect_refused", { what, connector });
  }

  private kindOf(connector: string) {
    const kind = own(this.options.config.connectors, connector)?.delegation?.kind;
    return kind === "exchange" ? undefined : kind;
  }

  private callbackUrl(connector: string): string {
    return this.reception.url(`/connect/${connector}/callback`);
  }
}
