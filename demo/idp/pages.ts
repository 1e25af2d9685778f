/** The identity provider's pages: plain HTML, no script, one look. */

import { createHash } from "node:crypto";
import type { ErrorOut, KoaContextWithOIDC } from "oidc-provider";
import { PEOPLE, type Person } from "../people.ts";

const STYLE = `
:root { color-scheme: light dark; --ink: #1c1b22; --soft: #5d5b66; --line: #d9d7e0;
  --paper: #fbfafc; --card: #fff; --key: #4b3fb5; --note: #fff6d6; --note-ink: #5a4600; }
@media (prefers-color-scheme: dark) { :root { --ink: #f1eff7; --soft: #aba8b8; --line: #3a3846;
  --paper: #17161c; --card: #201f28; --key: #b0a6ff; --note: #3a3214; --note-ink: #f6e4a8; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 34rem; margin: 0 auto; padding: 2.5rem 1.25rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .75rem; }
p { margin: 0 0 1rem; } .soft { color: var(--soft); }
.note { background: var(--note); color: var(--note-ink); border-radius: .5rem;
  padding: .6rem .9rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: 0 0 1.5rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; font-weight: 600; }
ul { list-style: none; margin: 0 0 1.5rem; padding: 0; display: grid; gap: .5rem; }
button, input { font: inherit; color: inherit; border: 1px solid var(--line);
  border-radius: .5rem; background: var(--card); padding: .6rem .9rem; }
li button { display: flex; justify-content: space-between; gap: 1rem; width: 100%;
  text-align: left; cursor: pointer; }
button { cursor: pointer; } button:hover, button:focus-visible, input:focus-visible {
  border-color: var(--key); outline: 2px solid var(--key); outline-offset: 1px; }
button[disabled] { opacity: .55; cursor: not-allowed; outline: none; }
form[id="op.deviceInputForm"], form[id="op.deviceConfirmForm"] { margin-bottom: 1rem; }
`;

const STYLE_HASH = createHash("sha256").update(STYLE).digest("base64");

/** No script, nothing from elsewhere; forms lead back here, and from here to `leads_to` alone. */
export function pageHeaders(leads_to: readonly string[] = []): Record<string, string> {
  const forms = ["'self'", ...leads_to].join(" ");
  return {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy":
      `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action ${forms}; ` +
      "base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
  };
}

export function escapeHtml(text: string): string {
  const named: Record<string, string> = { "&": "amp", "<": "lt", ">": "gt", '"': "quot" };
  return text.replace(/[&<>"']/g, (char) => `&${named[char] ?? "#39"};`);
}

export function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${body}
</main>
</body>
</html>
`;
}

export interface SignInView {
  readonly action: string;
  readonly client: string;
  readonly returns_to: string;
  readonly agent: string;
  /** Said above the list, after a choice that could not be accepted. */
  readonly problem?: string;
  readonly isDisabled: (subject: string) => boolean;
}

export function signInPage(view: SignInView): string {
  const problem = view.problem
    ? `<p class="note" role="alert">${escapeHtml(view.problem)}</p>`
    : "";
  const choices = PEOPLE.map((who) => choice(who, view.isDisabled(who.subject))).join("\n");
  return page(
    "Who is signing in?",
    `${problem}
<p class="note"><strong>This is a demo.</strong> Nobody here is real and there are no passwords:
pick a person, and you are that person.</p>
<dl>
<dt>Application</dt><dd>${escapeHtml(view.client)}</dd>
<dt>For the agent</dt><dd>${escapeHtml(view.agent)}</dd>
<dt>Sends you back to</dt><dd>${escapeHtml(view.returns_to)}</dd>
</dl>
<form method="post" action="${escapeHtml(view.action)}">
<p id="consent" class="soft">The application will act as the person whom you pick, through that
agent only.</p>
<ul aria-describedby="consent">
${choices}
</ul>
<button type="submit" name="cancel" value="1">Cancel</button>
</form>`,
  );
}

function choice(who: Person, disabled: boolean): string {
  const roles = [who.tenant, ...who.roles].filter((part) => part !== undefined).join(", ");
  const state = disabled ? " disabled" : "";
  const suffix = disabled ? " (disabled)" : "";
  return `<li><button type="submit" name="person" value="${who.subject}"${state}>
<span>${escapeHtml(who.name)}${suffix}</span> <span class="soft">${escapeHtml(roles)}</span>
</button></li>`;
}

export function messagePage(title: string, text: string): string {
  return page(title, `<p>${escapeHtml(text)}</p>`);
}

function show(ctx: KoaContextWithOIDC, body: string): void {
  for (const [name, value] of Object.entries(pageHeaders())) ctx.set(name, value);
  ctx.body = body;
}

export function renderError(ctx: KoaContextWithOIDC, out: ErrorOut): void {
  show(
    ctx,
    messagePage("This sign-in cannot go on", `${out.error}: ${out.error_description ?? ""}`),
  );
}

function clientName(ctx: KoaContextWithOIDC): string {
  const { client } = ctx.oidc;
  return client?.clientName ?? client?.clientId ?? "an application";
}

export const devicePages = {
  userCodeInputSource(ctx: KoaContextWithOIDC, form: string, _out?: ErrorOut, error?: Error): void {
    const wrong = error
      ? `<p class="note" role="alert">That code is not known. Try again.</p>`
      : "";
    // The provider's form comes with an inline handler, which our CSP would only complain about.
    const plain = form.replace(/ onfocus="[^"]*"/, ' aria-label="Code"');
    show(
      ctx,
      page(
        "Sign in a device",
        `${wrong}<p>Enter the code that your device shows.</p>${plain}
<button type="submit" form="op.deviceInputForm">Continue</button>`,
      ),
    );
  },
  userCodeConfirmSource(
    ctx: KoaContextWithOIDC,
    form: string,
    _client: unknown,
    _device: unknown,
    code: string,
  ): void {
    show(
      ctx,
      page(
        "Is this your device?",
        `<p><strong>${escapeHtml(clientName(ctx))}</strong> should show this code:
<strong>${escapeHtml(code)}</strong></p>${form}
<button type="submit" form="op.deviceConfirmForm">Yes, go on</button>
<button type="submit" form="op.deviceConfirmForm" name="abort" value="yes">No</button>`,
      ),
    );
  },
  successSource(ctx: KoaContextWithOIDC): void {
    show(ctx, messagePage("Signed in", "Your device is signed in. You can close this page."));
  },
};

export const signOutPages = {
  logoutSource(ctx: KoaContextWithOIDC, form: string): void {
    show(
      ctx,
      page(
        "Sign out?",
        `<p>This ends the demo sign-ins of this browser.</p>${form}
<button type="submit" form="op.logoutForm" name="logout" value="yes">Yes, sign out</button>
<button type="submit" form="op.logoutForm">No</button>`,
      ),
    );
  },
  postLogoutSuccessSource(ctx: KoaContextWithOIDC): void {
    show(ctx, messagePage("Signed out", "You can close this page."));
  },
};
