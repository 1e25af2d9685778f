// A person at a browser, as far as a cookie jar and forms go. As in a browser,
// one host is one jar, whatever the port.

interface Page {
  readonly url: URL;
  readonly status: number;
  readonly html: string;
}

export class Visitor {
  private readonly jar = new Map<string, string>();
  page: Page = { url: new URL("about:blank"), status: 0, html: "" };
  /** Every URL that was asked for, in order. */
  readonly asked: string[] = [];

  /** Goes there, and on as redirects say. */
  async go(to: string, form?: Record<string, string>): Promise<Page> {
    let next: URL | undefined = new URL(to, this.page.url);
    let body = form;
    for (let hops = 0; next !== undefined; hops++) {
      if (hops > 12) throw new Error(`going round in circles at ${next.href}`);
      const url: URL = next;
      this.asked.push(url.href);
      const response = await fetch(url, this.requestOf(body));
      this.keep(response);
      const html = await response.text();
      const { headers } = response;
      const [, refresh] = /^0; url=(\S+)$/.exec(headers.get("refresh") ?? "") ?? [];
      const onward = headers.get("location") ?? refresh;
      next = onward === undefined ? undefined : new URL(onward, url);
      body = undefined;
      if (next === undefined) this.page = { url, status: response.status, html };
    }
    return this.page;
  }

  private requestOf(form: Record<string, string> | undefined): RequestInit {
    const cookie = [...this.jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const headers = { cookie, accept: "text/html" };
    if (form === undefined) return { redirect: "manual", headers };
    const { origin } = this.page.url;
    const body = new URLSearchParams(form);
    return { redirect: "manual", method: "POST", headers: { ...headers, origin }, body };
  }

  private keep(response: Response): void {
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === "" || /max-age=0(?:;|$)/i.test(line)) this.jar.delete(name);
      else this.jar.set(name, value);
    }
  }

  /** Presses the button named `name` with this value, on a page whose form goes by `action`. */
  press(name: string, value: string): Promise<Page> {
    const action = /action="([^"]+)"/.exec(this.page.html)?.[1] ?? this.page.url.href;
    return this.go(action, { [name]: value });
  }

  /** Sends the form of doorless that does `act`, with more fields. */
  act(act: string, more: Record<string, string> = {}): Promise<Page> {
    const hidden = (name: string): string =>
      new RegExp(`name="${name}" value="([^"]*)"`).exec(this.page.html)?.[1] ?? "";
    const form = { csrf: hidden("csrf"), e: hidden("e"), act, ...more };
    return this.go(this.page.url.pathname, form);
  }

  /** Sends the page's form as it stands. */
  submit(): Promise<Page> {
    const { html, url } = this.page;
    const inputs = [...html.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)];
    const form = Object.fromEntries(inputs.map(([, name = "", value = ""]) => [name, value]));
    return this.go(/action="([^"]+)"/.exec(html)?.[1] ?? url.href, form);
  }

  /** Signs in at the demo's identity provider, from any page of doorless. */
  async signIn(url: string, person: string): Promise<Page> {
    await this.go(url);
    return this.press("person", person);
  }

  /** From an invitation to the end: this person, this mailbox. */
  async connect(url: string, person: string, mailbox = person): Promise<Page> {
    await this.signIn(url, person);
    await this.act("connect");
    return this.press("mailbox", mailbox);
  }
}
