// Who is at the browser? One sign-in for all pages of people, at the issuer that their agents'
// tokens come from; and what each of these pages needs besides: its cookies, its forms, its frame.
import type { Context } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import type { Config } from "../config/load.ts";
import type { SignIn } from "../identity/sign-in.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Principal } from "../kernel/principal.ts";
import type { LedgerEvents, Person } from "../ledger/events.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Stops } from "../session/stops.ts";
import type { Logger } from "../telemetry/log.ts";
import { BROWSER_S, Browsers, SIGN_IN_S } from "./browsers.ts";
import type { BrowserSession } from "./browsers.ts";
import { layout, PAGE_HEADERS, whichIssuerPage, wordsPage } from "./layout.ts";
import type { Markup } from "./layout.ts";

export const SIGN_IN_PATH = "/sign-in/callback";
export const GO_BACK = "Go back to your agent and let it try again: it will get a new link.";

export interface ReceptionOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signIn: SignIn;
  readonly ledger: Ledger;
  readonly stops: Stops;
}

/** A page that somebody asked for and that must first know who she is. */
export interface Wanted {
  /** Its path, and the query with which she comes back to it. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** The configured name of the issuer, where it is known whom the page is for. */
  readonly issuer: string | undefined;
  /** Ask who it is, even where the provider believes to know. */
  readonly again: boolean;
}

/** A form that came from a page of ours, in the browser of whom it was shown to. */
export interface Form {
  readonly session: BrowserSession;
  readonly said: (name: string) => string;
}

export class Reception {
  readonly browsers: Browsers;
  private readonly options: ReceptionOptions;
  private readonly secure: boolean;

  constructor(options: ReceptionOptions) {
    this.options = options;
    this.browsers = new Browsers(options.clock);
    this.secure = options.config.public_url.startsWith("https:");
    options.stops.onChange(({ reach, lifted }) => {
      if (!lifted && reach.kind === "user") this.browsers.closeOf(reach.issuer, reach.subject);
    });
  }

  /** Who is there; nobody where an operator's lock stands against her. */
  sessionOf(c: Context): BrowserSession | undefined {
    const session = this.browsers.get(getCookie(c, this.cookieName("browser")));
    if (session === undefined) return undefined;
    const { issuer, subject } = session.person;
    return this.options.stops.stopsPerson(issuer, subject) ? undefined : session;
  }

  /** Sends her to her identity provider, or asks which one it is. */
  async askWho(c: Context, { path, query = {}, issuer, again }: Wanted): Promise<Response> {
    const { signIn } = this.options;
    const asked = issuer ?? c.req.query("issuer");
    const [only] = signIn.issuers;
    const chosen =
      signIn.issuers.find((name) => name === asked) ??
      (signIn.issuers.length === 1 ? only : undefined);
    if (chosen === undefined) {
      return this.page(c, 200, "Sign in", whichIssuerPage(path, query, signIn.issuers));
    }
    const departed = await signIn.depart(chosen, this.url(SIGN_IN_PATH), again);
    if (!departed.ok) return this.unreachable(c, departed.refusal.cause);
    const search = new URLSearchParams(query).toString();
    const back_to = search === "" ? path : `${path}?${search}`;
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

  /** The form that was sent, or the page that says no: no page elsewhere knows the `csrf`. */
  async formOf(c: Context): Promise<Form | Response> {
    const session = this.sessionOf(c);
    const form = await c.req.formData();
    const said = (name: string): string => {
      const value = form.get(name);
      return typeof value === "string" ? value : "";
    };
    if (session !== undefined && said("csrf") === session.csrf) return { session, said };
    const text = "This page is too old, or was sent from elsewhere. Nothing was done.";
    return this.page(c, 403, "Please start again", wordsPage(text, GO_BACK));
  }

  unreachable(c: Context, cause: string | undefined): Promise<Response> {
    this.options.log.warn({ cause }, "a sign-in did not work");
    const text = "The sign-in could not be completed. Nothing was done.";
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

  unknownButton(c: Context): Promise<Response> {
    return this.page(c, 400, "Please start again", wordsPage("That was no known button."));
  }

  /** Somebody came for what is another's; on record once for each who is signed in. */
  async report<Event extends "connect_refused" | "approve_refused">(
    session: BrowserSession | undefined,
    event: Event,
    what: Omit<LedgerEvents[Event], keyof Person>,
  ): Promise<void> {
    const { log, ledger } = this.options;
    const known = session !== undefined;
    log.warn({ event, detail: what, known }, "a page was refused");
    if (session === undefined || session.reported) return;
    session.reported = true;
    const { issuer, subject, tenant = null } = session.person;
    await ledger.event(event, { issuer, subject, tenant, ...what } as LedgerEvents[Event]);
  }

  nothing(c: Context): Promise<Response> {
    const text = "This page does not exist, or is not for you.";
    return this.page(c, 404, "There is nothing here", wordsPage(text));
  }

  url(path: string): string {
    return `${this.options.config.public_url}${path}`;
  }

  // The public address, whatever the proxy before us called us.
  arrivedAt(c: Context): URL {
    const { pathname, search } = new URL(c.req.url);
    return new URL(this.url(`${pathname}${search}`));
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

/** Whether the person at the browser is the one that something is kept for. */
export function isPerson(
  kept: { readonly issuer: string; readonly subject: string; readonly tenant: string | null },
  { issuer, subject, tenant }: Principal,
): boolean {
  // An ID token need not name the tenant; where it does, it must be the same one.
  const sameTenant = tenant === undefined || tenant === kept.tenant;
  return kept.issuer === issuer && kept.subject === subject && sameTenant;
}
