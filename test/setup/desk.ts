// One agent before an MCP server's tools, whose people a provider of a test speaks for.
import { minimalConfig } from "./minimal.ts";
import type { Json } from "./minimal.ts";

interface Desk {
  readonly port: number;
  /** The provider's, and more that the configuration says of it. */
  readonly issuer: string;
  readonly more?: Json;
  readonly tools: readonly string[];
  readonly roles: Json;
}

/** Without connectors: an import says what they are. */
export function deskConfig({ port, issuer, more = {}, tools, roles }: Desk): Json {
  const claims = { tenant: "/org/tenant", roles: "/org/roles" };
  const granted = Object.fromEntries(tools.map((name) => [name, {}]));
  return minimalConfig({
    public_url: `http://127.0.0.1:${port}`,
    listen: { host: "127.0.0.1", port },
    data: "data",
    issuers: { own: { issuer, claims, allow_private_addresses: true, ...more } },
    agents: { desk: { title: "Desk", purpose: "p", tools: granted } },
    roles,
    connectors: {},
  });
}
