// /connect/CONNECTOR: where a person links her own account. The same person is proved twice, at the
// start and at the way back: a link that is forwarded, at either end, connects nothing.
// @see docs/adr/0012-connecting-an-account.md
import { Hono } from "hono";
import type { Context } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import type { Config } from "../config/load.ts";
import { placeOf } from "../delegation/connections.ts";
import type { Connections } from "../delegation/connections.ts";
import { INVITATION_MS } from "../delegation/invitations.ts";
import type { ThirdParty } from "../delegation/third-party.ts";
import type { Place } from "../delegation/vault.ts";
import type { SignIn } from "../identity/sign-in.ts";
import type { Clock } from "../kernel/clock.ts";
import { own } from "../kernel/own.ts";
import type { Principal } from "../kernel/principal.ts";
import { Secret } from "../kernel/secret.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Stops } from "../session/stops.ts";
import type { Logger } from "../telemetry/log.ts";
import { BROWSER_S, Browsers, SIGN_IN_S } from "./browsers.ts";
import type { BrowserSession } from "./browsers.ts";
import {
  connectedAs,
  connectPage,
  notYoursPage,
  onwardPage,
  whichIssuerPage,
  wordsPage,
} from "./connect-pages.ts";
import { layout, PAGE_HEADERS } from "./layout.ts";
import type { Markup } from "./layout.ts";

const KEY = /^[\x21-\x7e]{8,4096}$/;
const SIGN_IN_PATH = "/sign-in/callback";

export interface ConnectOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signIn: SignIn;
  readonly connections: Connections;
  readonly servers: ReadonlyMap<string, ThirdParty>;
  /** The API's name as people know it. */
  readonly titleOf: (connector: string) => string;
  /** Whether any agent gives this person a tool that needs the connector. */
  readonly isFor: (person: Principal, connector: string) => boolean;
  readonly ledger: Ledger;
  readonly stops: Stops;
}

/** Answers /connect/… and /sign-in/…, cookies and forms included. */
export function createConnect(options: ConnectOptions): (request: Request) => Promise<Response> {
  const pages = new ConnectPages(options);
  const app = new Hono();
  app.get(SIGN_IN_PATH, (c) => pages.signedIn(c));
  app.get("/connect/:connector", (c) => pages.show(c, c.req.param("connector")));
  app.post("/connect/:connector", (c) => pages.act(c, c.req.param("connector")));
  app.get("/connect/:connector/callback", (c) => pages.arrived(c, c.req.param("connector")));
  app.notFound((c) => pages.page(c, 404, "There is nothing here", NOTHING));
  app.onError((error, c) => {
    options.log.error({ err: error }, "a page failed");
    return pages.page(c, 500, "This did not work", wordsPage("Nothing was connected. Try again."));
  });
  return async (request) => app.fetch(request);
}

const NOTHING = wordsPage("This page does not exist, or is not for you.");

class ConnectPages {
  private readonly options: ConnectOptions;
  private readonly browsers: Browsers;
  private readonly secure: boolean;

  constructor(options: ConnectOptions) {
    this.options = options;
    this.browsers = new Browsers(options.clock);
    this.secure = options.config.public_url.startsWith("https:");
    options.stops.onChange(({ reach, lifted }) => {
      if (!lifted && reach.kind === "user") this.browsers.closeOf(reach.issuer, reach.subject);
    });
  }

  /** GET: who are you, is this link yours, and what would you allow? */
  async show(c: Context, connector: string): Promise<Response> {
    const code = c.req.query("e");
    const session = this.sessionOf(c);
    const again = c.req.query("as") === "other";
    if (session === undefined || again) return this.askWho(c, connector, code, again);
    const place = await this.placeFor(c, session, connector, code);
    if (place instanceof Response) return place;
    return this.showConnector(c, session, place, code);
  }

  private async askWho(c: Context, connector: string, code: string | undefined, again: boolean) {
    const { signIn, connections } = this.options;
    const invitation = code === undefined ? undefined : await connections.invitations.look(code);
    const asked = c.req.query("issuer");
    const [only] = signIn.issuers;
    const issuer =
      invitation?.issuer_name ??
      signIn.issuers.find((name) => name === asked) ??
      (signIn.issuers.length === 1 ? only : undefined);
    const path = `/connect/${encodeURIComponent(connector)}`;
    if (issuer === undefined) {
      return this.page(c, 200, "Sign in", whichIssuerPage(path, signIn.issuers));
    }
    const back_to = code === undefined ? path : `${path}?e=${encodeURIComponent(code)}`;
    const departed = await signIn.depart(issuer, this.url(SIGN_IN_PATH), again);
    if (!departed.ok) return this.unreachable(c, departed.refusal.cause);
    this.setCookie(c, "sign_in", this.browsers.seal(departed.value.way, back_to), SIGN_IN_S);
    return c.redirect(departed.value.url.href, 303);
  }

  /** The identity provider says who it is. */
  async signedIn(c: Context): Promise<Response> {
    const sealed = this.browsers.unseal(getCookie(c, this.cookieName("sign_in")));
    this.setCookie(c, "sign_in", "", 0);
    if (sealed === undefined || c.req.query("state") !== sealed.way.state) {
      const text = "This sign-in was begun in another browser, or too long ago. Nothing was done.";
      return this.page(c, 400, "This sign-in cannot go on", wordsPage(text, GO_BACK));
    }
    const arrived = await this.options.signIn.arrive(this.arrivedAt(c), sealed.way);
    if (!arrived.ok) return this.unreachable(c, arrived.refusal.cause);
    this.browsers.close(getCookie(c, this.cookieName("browser")));
    const { issuer, subject, tenant = null } = arrived.value;
    const isStopped = this.options.stops.stopsPerson(issuer, subject);
    const outcome = isStopped ? "refused" : "done";
    await this.options.ledger.event("sign_in", { tenant, issuer, subject, what: outcome });
    if (isStopped) {
      return this.page(c, 403, "Your access is stopped", wordsPage("Ask your operator why."));
    }
    const session = this.browsers.open(arrived.value, sealed.way.issuer_name);
    this.setCookie(c, "browser", session.id, BROWSER_S);
    return c.redirect(sealed.back_to, 303);
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
      return this.page(c, 404, "There is nothing here", NOTHING);
    }
    const invitation = await connections.invitations.look(code);
    if (invitation === undefined || invitation.place.connector !== connector) {
      const text = "This link was used, or is older than ten minutes.";
      return this.page(c, 410, "This link has ended", wordsPage(text, GO_BACK));
    }
    if (isOf(invitation.place, session.person)) return invitation.place;
    await this.reportOnce(session, "link of another person opened", connector);
    const again = `/connect/${connector}?e=${encodeURIComponent(code)}&as=other`;
    return this.page(c, 403, "This is not your link", notYoursPage(session.person.name, again));
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
      return this.unreachable(c, String(error));
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
    return this.page(c, 200, `Connect ${title}`, body);
  }

  /** POST: the person said yes, or no more. */
  async act(c: Context, connector: string): Promise<Response> {
    const session = this.sessionOf(c);
    const form = await c.req.formData();
    const said = (name: string): string => {
      const value = form.get(name);
      return typeof value === "string" ? value : "";
    };
    if (session === undefined || said("csrf") !== session.csrf) {
      const text = "This page is too old, or was sent from elsewhere. Nothing was done.";
      return this.page(c, 403, "Please start again", wordsPage(text, GO_BACK));
    }
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
        return this.page(c, 400, "Please start again", wordsPage("That was no known button."));
    }
  }

  private async depart(c: Context, session: BrowserSession, place: Place, code: string) {
    const { servers, connections, clock } = this.options;
    const server = servers.get(place.connector);
    if (server === undefined) return this.page(c, 404, "There is nothing here", NOTHING);
    let departure: Awaited<ReturnType<ThirdParty["depart"]>>;
    try {
      departure = await server.depart(this.callbackUrl(place.connector));
    } catch (error) {
      return this.unreachable(c, String(error));
    }
    // From here on the link is used, whatever comes of it.
    const made_ms = code === "" ? clock.now() : (await connections.invitations.use(code))?.made_ms;
    if (made_ms === undefined) return this.page(c, 410, "This link has ended", wordsPage(GO_BACK));
    const { url, state, verifier } = departure;
    const ends_ms = made_ms + INVITATION_MS;
    this.browsers.depart(session, state, { place, departure: { state, verifier }, ends_ms });
    // Not a redirect: browsers hold those that follow a form to this page's form-action, and nobody
    // can list where a server sends people on to.
    c.header("refresh", `0; url=${url.href}`);
    return this.page(c, 200, `To ${url.host}`, onwardPage(url));
  }

  /** Back from the API's authorization server: in the browser that left, as the person who left? */
  async arrived(c: Context, connector: string): Promise<Response> {
    const { connections, servers, titleOf } = this.options;
    const session = this.sessionOf(c);
    const state = c.req.query("state") ?? "";
    const journey = session === undefined ? undefined : this.browsers.arrive(session, state);
    const server = servers.get(connector);
    if (session === undefined || journey === undefined || server === undefined) {
      await this.reportOnce(session, "arrived without having left", connector);
      const text =
        "You came back from a sign-in that you did not begin here, or began more than ten " +
        "minutes ago. Nothing was connected. If somebody sent you a link, do not follow it.";
      return this.page(c, 403, "Nothing was connected", wordsPage(text, GO_BACK));
    }
    if (journey.place.connector !== connector || !isOf(journey.place, session.person)) {
      await this.reportOnce(session, "arrived as another person", connector);
      return this.page(
        c,
        403,
        "Nothing was connected",
        wordsPage("You are not who left.", GO_BACK),
      );
    }
    const title = titleOf(connector);
    const answer = await server.arrive(this.arrivedAt(c), journey.departure);
    if (!answer.ok) {
      const { kind, cause } = answer.fault;
      this.options.log.warn({ connector, kind, cause }, "an account could not be connected");
      const text =
        kind === "refused" ? `${title} did not allow it.` : `${title} did not answer well.`;
      return this.page(c, 502, "Nothing was connected", wordsPage(text, GO_BACK));
    }
    await connections.connect(journey.place, answer.granted);
    const as = answer.granted.account_label ?? answer.granted.account;
    const text = `${title} is connected${as === undefined ? "" : ` as ${as}`}.`;
    return this.page(
      c,
      200,
      "Connected",
      wordsPage(text, "Go back to your agent: it can go on now."),
    );
  }

  private async takeKey(c: Context, place: Place, code: string, key: string): Promise<Response> {
    const { config, connections, titleOf } = this.options;
    const title = titleOf(place.connector);
    if (config.connectors[place.connector]?.delegation.kind !== "key") {
      return this.page(c, 404, "There is nothing here", NOTHING);
    }
    if (!KEY.test(key)) {
      const text = "That does not look like a key: 8 to 4096 letters, digits and signs, no spaces.";
      return this.page(
        c,
        422,
        "Nothing was connected",
        wordsPage(text, "Go back, and paste it again."),
      );
    }
    if (code !== "" && (await connections.invitations.use(code)) === undefined) {
      return this.page(c, 410, "This link has ended", wordsPage(GO_BACK));
    }
    await connections.connectKey(place, new Secret(key));
    const more = "Go back to your agent: it can go on now.";
    return this.page(c, 200, "Connected", wordsPage(`${title} is connected.`, more));
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
    return this.page(c, 200, "Disconnected", wordsPage("Your agents no longer have it.", told));
  }

  private async reportOnce(session: BrowserSession | undefined, what: string, connector: string) {
    this.options.log.warn({ connector, what, known: session !== undefined }, "connect refused");
    if (session === undefined || session.reported) return;
    session.reported = true;
    const { issuer, subject, tenant = null } = session.person;
    await this.options.ledger.event("connect_refused", {
      what,
      connector,
      issuer,
      subject,
      tenant,
    });
  }

  private unreachable(c: Context, cause: string | undefined): Promise<Response> {
    this.options.log.warn({ cause }, "a sign-in did not work");
    const text = "The sign-in could not be completed. Nothing was connected.";
    return this.page(c, 503, "This did not work", wordsPage(text, GO_BACK));
  }

  async page(
    c: Context,
    status: 200 | 400 | 403 | 404 | 410 | 422 | 500 | 502 | 503,
    title: string,
    body: Markup,
  ): Promise<Response> {
    return c.html(layout(title, body), status, PAGE_HEADERS);
  }

  private kindOf(connector: string) {
    const kind = own(this.options.config.connectors, connector)?.delegation.kind;
    return kind === "exchange" ? undefined : kind;
  }

  private callbackUrl(connector: string): string {
    return this.url(`/connect/${connector}/callback`);
  }

  private url(path: string): string {
    return `${this.options.config.public_url}${path}`;
  }

  // The public address, whatever the proxy before us called us.
  private arrivedAt(c: Context): URL {
    const { pathname, search } = new URL(c.req.url);
    return new URL(this.url(`${pathname}${search}`));
  }

  /** Who is there; nobody where an operator's lock stands against her. */
  private sessionOf(c: Context): BrowserSession | undefined {
    const session = this.browsers.get(getCookie(c, this.cookieName("browser")));
    if (session === undefined) return undefined;
    const { issuer, subject } = session.person;
    return this.options.stops.stopsPerson(issuer, subject) ? undefined : session;
  }

  private cookieName(name: string): string {
    return this.secure ? `__Host-doorless_${name}` : `doorless_${name}`;
  }

  // Lax, not Strict: the way back from a provider is a navigation from another site.
  private setCookie(c: Context, name: string, value: string, maxAge: number): void {
    const { secure } = this;
    setCookie(c, this.cookieName(name), value, {
      path: "/",
      httpOnly: true,
      sameSite: "Lax",
      secure,
      maxAge,
    });
  }
}

const GO_BACK = "Go back to your agent and let it try again: it will get a new link.";

function isOf(place: Place, { issuer, subject, tenant }: Principal): boolean {
  // An ID token need not name the tenant; where it does, it must be the same one.
  const sameTenant = tenant === undefined || tenant === place.tenant;
  return place.issuer === issuer && place.subject === subject && sameTenant;
}
