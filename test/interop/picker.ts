// Signing in at the demo's provider as people do: a browser with cookies, its page where one picks
// a person, and an OAuth client that needs nothing set up (discovery, registration, PKCE).
import { StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client";
import type {
  OAuthClientMetadata,
  OAuthClientProvider,
  OAuthDiscoveryState,
  StoredOAuthClientInformation,
  StoredOAuthTokens,
} from "@modelcontextprotocol/client";
import { modern } from "./clients.ts";
import type { McpClient } from "./clients.ts";

/** Follows redirects by hand, keeps cookies per origin, and reads no script. */
class Browser {
  private readonly jars = new Map<string, Map<string, string>>();
  page = "";
  at = new URL("about:blank");

  /** Goes to a URL and on to where it leads; stops before what `isDone` names, and returns it. */
  async go(start: URL, form?: URLSearchParams, isDone?: (url: URL) => boolean): Promise<URL> {
    let url = start;
    let body = form;
    for (let hops = 0; hops < 20; hops++) {
      if (isDone?.(url) === true) return url;
      const response = await this.fetch(url, body);
      const location = response.headers.get("location");
      this.page = await response.text();
      this.at = url;
      if (location === null) return url;
      url = new URL(location, url);
      body = undefined;
    }
    throw new Error("too many redirects");
  }

  private async fetch(url: URL, body: URLSearchParams | undefined): Promise<Response> {
    const jar = this.jars.get(url.origin) ?? new Map<string, string>();
    this.jars.set(url.origin, jar);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(url, {
      redirect: "manual",
      headers: { accept: "text/html", cookie },
      ...(body === undefined ? {} : { method: "POST", body }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === "") jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  }
}

/** Opens an authorization URL, picks a person, and returns where the application is called back. */
export async function signInAs(
  person: string,
  authorize: URL,
  isCallback: (url: URL) => boolean,
): Promise<URL> {
  const browser = new Browser();
  await browser.go(authorize);
  const action = /<form method="post" action="([^"]+)"/.exec(browser.page)?.[1];
  const offered = browser.page.includes(`name="person" value="${person}"`);
  if (action === undefined || !offered) throw new Error(`no page to pick at: ${browser.page}`);
  const form = new URLSearchParams({ person });
  return browser.go(new URL(action, browser.at), form, isCallback);
}

const CALLBACK = "http://127.0.0.1:9/callback";

/** What an IDE remembers of an OAuth server, with a person sitting before it. */
export class IdeSignIn implements OAuthClientProvider {
  readonly redirectUrl = CALLBACK;
  readonly clientMetadata: OAuthClientMetadata = {
    client_name: "An IDE",
    redirect_uris: [CALLBACK],
    grant_types: ["authorization_code"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
  };
  readonly opened: URL[] = [];
  private client: StoredOAuthClientInformation | undefined;
  private kept: StoredOAuthTokens | undefined;
  private verifier = "";
  private discovery: OAuthDiscoveryState | undefined;

  state(): string {
    return "a-state";
  }
  clientInformation() {
    return this.client;
  }
  saveClientInformation(client: StoredOAuthClientInformation): void {
    this.client = client;
  }
  tokens() {
    return this.kept;
  }
  saveTokens(tokens: StoredOAuthTokens): void {
    this.kept = tokens;
  }
  redirectToAuthorization(url: URL): void {
    this.opened.push(url);
  }
  saveCodeVerifier(verifier: string): void {
    this.verifier = verifier;
  }
  codeVerifier(): string {
    return this.verifier;
  }
  saveDiscoveryState(discovery: OAuthDiscoveryState): void {
    this.discovery = discovery;
  }
  discoveryState() {
    return this.discovery;
  }
}

/** Connects to a URL that one only knows from a snippet, signing in as `person` on the way. */
export async function connectSigningIn(
  url: string,
  person: string,
  ide = new IdeSignIn(),
): Promise<McpClient> {
  const at = new URL(url);
  const first = new StreamableHTTPClientTransport(at, { authProvider: ide });
  const refused = await modern("v2 automatic", first).catch((error: unknown) => error);
  if (!(refused instanceof UnauthorizedError)) throw new Error("let in without a sign-in");
  const [authorize] = ide.opened;
  if (authorize === undefined) throw new Error("no browser was opened");
  const callback = await signInAs(person, authorize, ({ href }) => href.startsWith(CALLBACK));
  if (callback.searchParams.get("state") !== "a-state") throw new Error("another state came back");
  await first.finishAuth(callback.searchParams);
  return modern("v2 automatic", new StreamableHTTPClientTransport(at, { authProvider: ide }));
}
