// /approve/ID: where the human in whose name a call is to run says yes or no. It is no tool, and of
// no use to who has only the link or only a token: it takes her own sign-in, and a form from this
// page. For anybody else, what is hers is what never was.
// @see docs/adr/0014-a-human-says-yes.md
import type { Context, Hono } from "hono";
import type { Approvals, Pending } from "../gate/approvals.ts";
import type { Principal } from "../kernel/principal.ts";
import type { Who } from "../ledger/keyring.ts";
import { approvePage, waitingPage } from "./approve-pages.ts";
import type { BrowserSession } from "./browsers.ts";
import { wordsPage } from "./layout.ts";
import { GO_BACK, isPerson } from "./reception.ts";
import type { Reception } from "./reception.ts";

const ID = /^[\w-]{1,100}$/;

export interface ApproveOptions {
  readonly approvals: Approvals;
}

/** Adds /approve and /approve/… to the pages of people. */
export function addApprove(app: Hono, reception: Reception, options: ApproveOptions): void {
  const pages = new ApprovePages(reception, options);
  app.get("/approve", (c) => pages.list(c));
  app.get("/approve/:id", (c) => pages.show(c, c.req.param("id")));
  app.post("/approve/:id", (c) => pages.act(c, c.req.param("id")));
}

class ApprovePages {
  private readonly reception: Reception;
  private readonly options: ApproveOptions;

  constructor(reception: Reception, options: ApproveOptions) {
    this.reception = reception;
    this.options = options;
  }

  async list(c: Context): Promise<Response> {
    const session = this.reception.sessionOf(c);
    if (session === undefined) return this.askWho(c, "/approve");
    const waiting = this.options.approvals.list(isFor(session.person));
    return this.reception.page(c, 200, "Waiting for you", waitingPage(waiting));
  }

  async show(c: Context, id: string): Promise<Response> {
    if (!ID.test(id)) return this.reception.nothing(c);
    const session = this.reception.sessionOf(c);
    // Before it is known who asks, whether there is such a question is not said.
    if (session === undefined) return this.askWho(c, `/approve/${id}`);
    const pending = await this.find(session, id);
    if (pending === undefined) return this.over(c);
    const { name } = session.person;
    return this.reception.page(
      c,
      200,
      pending.shown.title,
      approvePage(pending, name, session.csrf),
    );
  }

  private askWho(c: Context, path: string): Promise<Response> {
    return this.reception.askWho(c, { path, issuer: undefined, again: false });
  }

  async act(c: Context, id: string): Promise<Response> {
    const form = await this.reception.formOf(c);
    if (form instanceof Response) return form;
    const act = form.said("act");
    if (act !== "yes" && act !== "no") return this.reception.unknownButton(c);
    const pending = await this.find(form.session, id);
    if (pending === undefined) return this.over(c);
    const isDone = await this.options.approvals.decide(id, act === "yes", "page");
    if (!isDone) return this.over(c);
    if (act === "no") {
      const more = "Your agent is told, and asks no more about exactly this for a while.";
      return this.reception.page(c, 200, "You said no", wordsPage("It will not be done.", more));
    }
    const text = "Go back to your agent and let it go on: it can do this once now.";
    return this.reception.page(c, 200, "You said yes", wordsPage(text));
  }

  private async find(session: BrowserSession, id: string): Promise<Pending | undefined> {
    const { approvals } = this.options;
    const pending = approvals.look(id, isFor(session.person));
    if (pending !== undefined || !approvals.isOpen(id)) return pending;
    const detail = { what: "opened by another", approval: id };
    await this.reception.report(session, "approve_refused", detail);
    return undefined;
  }

  private over(c: Context): Promise<Response> {
    const text = "It was answered or done, is too old, or is not for you.";
    const title = "There is nothing to approve here";
    return this.reception.page(c, 404, title, wordsPage(text, GO_BACK));
  }
}

function isFor(person: Principal): (who: Who) => boolean {
  return (who) => isPerson(who, person);
}
