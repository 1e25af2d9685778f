// What people read on /approve: the call as it would be made, and nothing hidden in its words.
import { html } from "hono/html";
import type { Pending, Shown } from "../gate/approvals.ts";
import { piecesOf } from "../kernel/visible.ts";
import type { Markup } from "./layout.ts";

const DESTRUCTIVE = "It changes or removes what is there, and may not be undone.";
const MINUTE_MS = 60_000;

export function approvePage(pending: Pending, person: string, csrf: string): Markup {
  const { shown, said_yes } = pending;
  return html`<p>
      Your agent <strong>${shown.agent}</strong> asks to do this in your name. It is done once,
      exactly as it stands here, and only if you say yes.
    </p>
    ${facts(shown, person)}
    <h2>What it says</h2>
    ${args(shown)}
    <h2>${shown.request === undefined ? "What it may do" : "What is sent"}</h2>
    ${sent(shown)} ${said_yes ? takeBackForm(csrf) : yesNoForm(csrf, pending.left_ms)}`;
}

function facts({ tool, title, connector, client_id, destructive }: Shown, person: string): Markup {
  const at = connector && html`${connector.title} <span class="soft">${connector.origin}</span>`;
  return html`<dl>
      <dt>You are</dt>
      <dd>${person}</dd>
      <dt>What</dt>
      <dd>${title} <span class="soft">${tool}</span></dd>
      ${
        at &&
        html`<dt>At</dt>
          <dd>${at}</dd>`
      }
      <dt>Asked by</dt>
      <dd>${visible(client_id)}</dd>
    </dl>
    ${destructive ? html`<p class="bad">${DESTRUCTIVE}</p>` : ""}`;
}

/** Escaped, its lines kept, and nothing hidden in it. */
function visible(text: string): Markup {
  const pieces = piecesOf(text).map((piece) => {
    return piece.hidden ? html`<mark>${piece.text}</mark>` : piece.text;
  });
  return html`${pieces}`;
}

function args(shown: Shown): Markup {
  const rows = Object.entries(shown.args).map(([name, value]) => {
    const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
    return html`<dt>${visible(name)}</dt>
      <dd class="text"><bdi>${visible(text)}</bdi></dd>`;
  });
  return html`<dl dir="ltr">${rows}</dl>`;
}

function sent({ request, uses }: Shown): Markup {
  if (request !== undefined) {
    const { method, path, body } = request;
    const json = body === undefined ? "" : `\n\n${JSON.stringify(JSON.parse(body), null, 2)}`;
    return block(`${method} ${path}${json}`);
  }
  return block(
    uses.length === 0 ? "Whatever this code does with your agent's tools." : uses.join("\n"),
  );
}

// In one piece: what stands between the tags is shown as it stands.
function block(text: string): Markup {
  return html`<pre dir="ltr">${visible(text)}</pre>`;
}

function button(csrf: string, act: string, word: string, look: string): Markup {
  return html`<form method="post">
    <input type="hidden" name="csrf" value="${csrf}" />
    <input type="hidden" name="act" value="${act}" /><button class="${look}" type="submit">
      ${word}
    </button>
  </form>`;
}

function yesNoForm(csrf: string, left_ms: number): Markup {
  return html`<div class="choice">
      ${button(csrf, "yes", "Yes, do it once", "key")} ${button(csrf, "no", "No", "")}
    </div>
    <p class="soft">${leftText(left_ms)} Without your answer, nothing happens.</p>`;
}

function takeBackForm(csrf: string): Markup {
  return html`<p>You said yes; it has not been done yet.</p>
    ${button(csrf, "no", "Take it back", "")}`;
}

function leftText(left_ms: number): string {
  const minutes = Math.max(1, Math.round(left_ms / MINUTE_MS));
  return minutes === 1 ? "This ends within a minute." : `This ends in ${minutes} minutes.`;
}

export function waitingPage(waiting: readonly Pending[]): Markup {
  if (waiting.length === 0) return html`<p>Nothing waits for your answer.</p>`;
  return html`<p>These wait for your answer, the oldest first.</p>
    <ul>
      ${waiting.map(({ id, shown }) => {
        return html`<li><a href="/approve/${id}">${shown.title}</a>, for ${shown.agent}</li>`;
      })}
    </ul>`;
}
