/** The page on which a person allows an application to use her mailbox. */

import { escapeHtml, page } from "../idp/pages.ts";
import type { Person } from "../people.ts";

export interface MailboxView {
  readonly action: string;
  readonly returns_to: string;
  readonly scope: string;
  readonly mailboxes: readonly Person[];
}

export function mailboxPage({ action, returns_to, scope, mailboxes }: MailboxView): string {
  const choices = mailboxes.map(choice).join("\n");
  return page(
    "Allow the use of your mailbox?",
    `<p class="note"><strong>This is Acme Mail's own sign-in, in a demo.</strong> It knows nothing
of the identity provider. Pick a mailbox: yours, if you are honest.</p>
<dl>
<dt>Application</dt><dd>doorless</dd>
<dt>Asks for</dt><dd>${escapeHtml(scope)}</dd>
<dt>Sends you back to</dt><dd>${escapeHtml(returns_to)}</dd>
</dl>
<form method="post" action="${escapeHtml(action)}">
<ul>
${choices}
</ul>
<button type="submit" name="cancel" value="1">No</button>
</form>`,
  );
}

function choice({ subject, email }: Person): string {
  return `<li><button type="submit" name="mailbox" value="${escapeHtml(subject)}">
<span>${escapeHtml(email)}</span>
</button></li>`;
}
