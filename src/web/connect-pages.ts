// What people read on /connect. The words, and nothing else.
import { html } from "hono/html";
import type { LinkView } from "../delegation/connections.ts";
import type { Markup } from "./layout.ts";

export interface ConnectView {
  readonly title: string;
  readonly person: string;
  readonly csrf: string;
  readonly invitation: string | undefined;
  /** Where one goes to allow it; `undefined` where a key is pasted. */
  readonly server: string | undefined;
  readonly scopes: readonly string[];
  readonly key_help: string | undefined;
  /** The account that is connected now, by its label; "" where it has none. */
  readonly connected_as: string | undefined;
}

export function connectPage(view: ConnectView): Markup {
  const { title, person, server, scopes, connected_as } = view;
  const now = connected_as === undefined ? "not connected" : connected_as || "connected";
  return html`<p>
      Your agents ask to use <strong>${title}</strong> as you. What they do there is done in your
      name, within their own limits, and recorded.
    </p>
    <dl>
      <dt>You are</dt>
      <dd>${person}</dd>
      <dt>Account at ${title}</dt>
      <dd>${now}</dd>
      ${
        server === undefined
          ? ""
          : html`<dt>You will allow it at</dt>
              <dd>${server}</dd>
              <dt>What is asked for</dt>
              <dd>${scopes.join(", ")}</dd>`
      }
    </dl>
    ${server === undefined ? keyForm(view) : goForm(view)}
    ${connected_as === undefined ? "" : disconnectForm(view)}`;
}

/** What is connected now, in a word; nothing where nothing is. */
export function connectedAs(link: LinkView | undefined): string | undefined {
  if (link === undefined || link.state === "disconnected") return undefined;
  if (link.state === "damaged") return "a link that does not verify; connect anew";
  return link.account ?? "";
}

function hidden(view: ConnectView, act: string): Markup {
  return html`<input type="hidden" name="csrf" value="${view.csrf}" />
    <input type="hidden" name="act" value="${act}" />
    <input type="hidden" name="e" value="${view.invitation ?? ""}" />`;
}

function goForm(view: ConnectView): Markup {
  const word = view.connected_as === undefined ? "Connect" : "Connect anew";
  return html`<form method="post">
    ${hidden(view, "connect")}<button class="key" type="submit">${word}</button>
  </form>`;
}

function keyForm(view: ConnectView): Markup {
  return html`<p>${view.key_help ?? ""}</p>
    <form method="post" autocomplete="off">
      ${hidden(view, "key")}
      <label for="key">Your own key</label>
      <input id="key" name="key" type="password" required maxlength="4096" autocomplete="off" />
      <button class="key" type="submit">Connect</button>
    </form>
    <p class="soft">
      It is stored encrypted, used only for your own calls, and never shown again.
    </p>`;
}

function disconnectForm(view: ConnectView): Markup {
  return html`<form method="post">
      ${hidden(view, "disconnect")}<button type="submit">Disconnect</button>
    </form>
    <p class="soft">Your agents lose it at once, and ${view.title} is told to forget it.</p>`;
}

export function onwardPage(url: URL): Markup {
  return html`<p>You go on to <strong>${url.host}</strong>, to allow it there.</p>
    <p><a href="${url.href}">Go on, if your browser does not</a></p>`;
}

export function notYoursPage(person: string, again: string): Markup {
  return html`<p class="bad">This link was made for somebody else. Nothing was connected.</p>
    <p>
      You are signed in as <strong>${person}</strong>. If that is not you, sign in as yourself; if
      somebody sent you this link, do not go on.
    </p>
    <p><a href="${again}">Sign in as somebody else</a></p>`;
}
