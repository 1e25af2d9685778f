// The pages of people, with cookies and forms: the sign-in, /connect and /approve.
import { Hono } from "hono";
import { addApprove } from "./approve.ts";
import type { ApproveOptions } from "./approve.ts";
import { addConnect } from "./connect.ts";
import type { ConnectOptions } from "./connect.ts";
import { wordsPage } from "./layout.ts";
import { Reception, SIGN_IN_PATH } from "./reception.ts";
import type { ReceptionOptions } from "./reception.ts";

const PATH = /^\/(?:(?:connect|sign-in)\/|approve(?:\/|$))/;

/** Whether a path is one of these pages. */
export function isPeoples(path: string): boolean {
  return PATH.test(path);
}

export type PeopleOptions = ReceptionOptions & ConnectOptions & ApproveOptions;

export function createPeople(options: PeopleOptions): (request: Request) => Promise<Response> {
  const reception = new Reception(options);
  const app = new Hono();
  app.get(SIGN_IN_PATH, (c) => reception.signedIn(c));
  addConnect(app, reception, options);
  addApprove(app, reception, options);
  app.notFound((c) => reception.nothing(c));
  app.onError((error, c) => {
    options.log.error({ err: error }, "a page failed");
    const text = "Nothing was done. Try again.";
    return reception.page(c, 500, "This did not work", wordsPage(text));
  });
  return async (request) => app.fetch(request);
}
