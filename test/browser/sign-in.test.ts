// Dana signs in, in a real browser: client registration, PKCE, the picker page, the way back.
import { once } from "node:events";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import {
  Client,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from "@modelcontextprotocol/client";
import type { OAuthClientProvider } from "@modelcontextprotocol/client";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect } from "vitest";
import { NO_CHROMIUM, openChromium } from "../setup/chromium.ts";
import { openHouse } from "../setup/house.ts";
import type { House } from "../setup/house.ts";
import { verifies } from "../verifies.ts";

let house: House;
let browser: Browser;
let callback: Server;
let redirectUrl: string;

beforeAll(async () => {
  if (NO_CHROMIUM !== undefined) return;
  house = await openHouse();
  browser = await openChromium();
  callback = createServer((_req, res) => res.end("Signed in. You may close this window."));
  callback.listen(0, "127.0.0.1");
  await once(callback, "listening");
  redirectUrl = `http://127.0.0.1:${(callback.address() as AddressInfo).port}/callback`;
});

afterAll(async () => {
  if (NO_CHROMIUM !== undefined) return;
  await browser.close();
  callback.closeAllConnections();
  callback.close();
  await house.close();
});

/** What an MCP client keeps between its steps of the sign-in. */
function rememberingProvider(onUrl: (url: URL) => void): OAuthClientProvider {
  const kept: Record<string, unknown> = {};
  return {
    redirectUrl,
    clientMetadata: { client_name: "A client with a browser", redirect_uris: [redirectUrl] },
    clientInformation: () => kept["client"] as never,
    saveClientInformation: (client) => void (kept["client"] = client),
    tokens: () => kept["tokens"] as never,
    saveTokens: (tokens) => void (kept["tokens"] = tokens),
    redirectToAuthorization: onUrl,
    saveCodeVerifier: (verifier) => void (kept["verifier"] = verifier),
    codeVerifier: () => kept["verifier"] as string,
    saveDiscoveryState: (state) => void (kept["discovery"] = state),
    discoveryState: () => kept["discovery"] as never,
  };
}

async function signIn(person: string, agent: string): Promise<string[]> {
  let url: URL | undefined;
  const authProvider = rememberingProvider((asked) => (url = asked));
  const at = new URL(house.ready.mcp[agent] ?? "");
  const transport = new StreamableHTTPClientTransport(at, { authProvider });
  const client = new Client({ name: "with a browser", version: "1" });
  await expect(client.connect(transport)).rejects.toBeInstanceOf(UnauthorizedError);
  const page = await browser.newPage();
  await page.goto(url?.href ?? "");
  await page.getByRole("button", { name: person }).click();
  await page.waitForURL(`${redirectUrl}?*`);
  const code = new URL(page.url()).searchParams;
  await page.close();
  await transport.finishAuth(code);
  await client.connect(new StreamableHTTPClientTransport(at, { authProvider }));
  const { tools } = await client.listTools();
  await client.close();
  return tools.map((tool) => tool.name);
}

verifies(
  "demo.identity-provider",
  "a person who is picked in a browser has exactly her tools in the client",
  async () => {
    expect(await signIn("Dana", "support")).toContain("tickets_reply");
    expect(await signIn("Mia", "research")).toEqual(["crm_get_customer", "crm_search_deals"]);
  },
  { skip: NO_CHROMIUM },
);
