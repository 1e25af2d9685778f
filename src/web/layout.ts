// The look of the few pages that people see: plain HTML, one style, no script, nothing from
// elsewhere. hono's `html` escapes whatever is put into it.
import { hash } from "node:crypto";
import { html, raw } from "hono/html";

/** Markup that `html` made: everything in it is escaped. */
export type Markup = ReturnType<typeof html>;

const STYLE = `
:root { color-scheme: light dark; --ink: #1d1c24; --soft: #5e5b6a; --line: #d8d5e2;
  --paper: #faf9fc; --card: #fff; --key: #4338a8; --key-ink: #fff; --bad: #8a1c1c; }
@media (prefers-color-scheme: dark) { :root { --ink: #f2f0f8; --soft: #aca8bb; --line: #3b3848;
  --paper: #16151b; --card: #201e28; --key: #b4aaff; --key-ink: #16151b; --bad: #ffb0a8; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, sans-serif; }
main { max-width: 34rem; margin: 0 auto; padding: 3rem 1.25rem; }
header { color: var(--soft); font-weight: 600; letter-spacing: .02em; margin-bottom: 1.5rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 1rem; }
h2 { font-size: 1.0625rem; margin: 0 0 .5rem; }
p { margin: 0 0 1rem; } .soft { color: var(--soft); font-size: .9375rem; }
.bad { color: var(--bad); font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .35rem 1.25rem; margin: 0 0 1.5rem;
  padding: 1rem 1.25rem; border: 1px solid var(--line); border-radius: .6rem;
  background: var(--card); }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; font-weight: 600; }
dd .soft { font-weight: 400; } .text { white-space: pre-wrap; }
pre { margin: 0 0 1.5rem; padding: 1rem 1.25rem; border: 1px solid var(--line);
  border-radius: .6rem; background: var(--card); white-space: pre-wrap; overflow-wrap: anywhere;
  font: .9375rem/1.5 ui-monospace, monospace; }
mark { background: var(--bad); color: var(--paper); border-radius: .2rem; padding: 0 .2rem;
  font-size: .8125em; }
.choice { display: flex; gap: 1rem; }
form { margin: 0 0 1rem; } label { display: block; margin-bottom: .35rem; font-weight: 600; }
input[type=password] { font: inherit; color: inherit; width: 100%;
  padding: .6rem .8rem;
  border: 1px solid var(--line); border-radius: .5rem; background: var(--card);
  margin-bottom: 1rem; }
button { font: inherit; font-weight: 600; cursor: pointer; border-radius: .5rem;
  padding: .6rem 1.1rem;
  border: 1px solid var(--line); background: var(--card); color: var(--ink); }
button.key { background: var(--key); border-color: var(--key); color: var(--key-ink); }
button:focus-visible, input:focus-visible, a:focus-visible {
  outline: 3px solid var(--key); outline-offset: 2px; } a { color: var(--key); }
`;

// In one piece: a formatter that moved the text inside it would change what the hash is of.
const STYLE_ELEMENT = raw(`<style>${STYLE}</style>`);
const STYLE_HASH = hash("sha256", STYLE, "base64");

/** No script, nothing from elsewhere, in no frame; forms lead back here alone. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = Object.freeze({
  "content-security-policy":
    `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action 'self'; ` +
    "base-uri 'none'; frame-ancestors 'none'",
  // To us the Origin of a form must be told, to nobody else anything.
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "x-frame-options": "DENY",
});

export function layout(title: string, body: Markup): Markup {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title} · doorless</title>
        ${STYLE_ELEMENT}
      </head>
      <body>
        <main>
          <header>doorless</header>
          <h1>${title}</h1>
          ${body}
        </main>
      </body>
    </html>`;
}

export function wordsPage(text: string, more: string = ""): Markup {
  return html`<p>${text}</p>
    ${more === "" ? "" : html`<p class="soft">${more}</p>`}`;
}

export function whichIssuerPage(
  path: string,
  query: Readonly<Record<string, string>>,
  issuers: readonly string[],
): Markup {
  const to = (issuer: string): string =>
    `${path}?${new URLSearchParams({ ...query, issuer }).toString()}`;
  return html`<p>Where do you sign in?</p>
    <ul>
      ${issuers.map((name) => html`<li><a href="${to(name)}">${name}</a></li>`)}
    </ul>`;
}
