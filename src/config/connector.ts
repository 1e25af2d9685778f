// A connector: what is reached, and how the user's own token for it is had.
import { z } from "zod";
import { own } from "../kernel/own.ts";
import { origin, scopeName, secretRef, url } from "./fields.ts";
import type { Report } from "./problem.ts";

const exchangeSchema = z
  .strictObject({
    kind: z.literal("exchange"),
    resource: url.optional().describe("RFC 8707 resource to ask for"),
    audience: z.string().min(1).optional().describe("RFC 8693 audience, where it is that"),
    issued_audience: z.string().min(1).optional().describe("The aud to expect, if another"),
    issued_issuer: url.optional().describe("The iss to expect, if another (Entra's v1 tokens)"),
    extra_scopes: z
      .array(scopeName)
      .default([])
      .describe("Scopes that the provider adds unasked, and that are accepted; others refuse"),
  })
  .refine((d) => (d.resource === undefined) !== (d.audience === undefined), {
    error: "name either resource or audience",
  });

const connectionSchema = z
  .strictObject({
    kind: z.literal("connection"),
    authorization_server: z
      .union([
        url,
        z.strictObject({
          issuer: url,
          authorization_endpoint: url,
          token_endpoint: url,
          revocation_endpoint: url.optional(),
        }),
      ])
      .describe("Its issuer, which publishes its metadata; or its endpoints, where it does not"),
    client: z.strictObject({
      client_id: z.string().min(1),
      client_secret: secretRef.optional(),
      auth: z.enum(["post", "basic"]).default("post").describe("How the secret is sent"),
    }),
    scopes: z
      .array(scopeName)
      .min(1)
      .describe("All that people are asked to allow: what the tools need, and offline access"),
    resource: url.optional().describe("RFC 8707 resource, where the server wants one"),
    parameters: z
      .record(z.string().regex(/^[a-z_]+$/), z.string())
      .default({})
      .describe("More of the authorization request, such as access_type or prompt"),
    refresh: z
      .enum(["rotates", "grace", "stable"])
      .default("rotates")
      .describe(
        "A refresh whose answer was lost: never repeated (rotates), repeated because the server " +
          "forgives that for a while (grace), or because its refresh tokens stay (stable)",
      ),
  })
  .describe("Each user's own link to an API that has another authorization server");

const keySchema = z
  .strictObject({
    kind: z.literal("key"),
    header: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, "the name of a header")
      .default("Authorization"),
    scheme: z
      .string()
      .regex(/^[A-Za-z]{0,20}$/)
      .default("Bearer")
      .describe("The word before the key; empty for none"),
    help: z.string().min(1).max(300).describe("Where a person finds the key, in one sentence"),
  })
  .describe("Each user's own key, pasted on /connect; for an API that has nothing better");

const checkS = (standard: number) =>
  z
    .int()
    .min(1)
    .max(86_400)
    .default(standard)
    .describe("How old the last look at its tools may be when one of them is called");

const mcpSchema = z
  .union([
    z.strictObject({
      url: url.describe("Its streamable HTTP endpoint, the only address this connector dials"),
      check_s: checkS(60),
    }),
    z.strictObject({
      command: z
        .array(z.string().max(1024))
        .min(1)
        .max(64)
        .describe("A script for Node, run in the sandbox with its own package and nothing else"),
      // What runs is a copy: it is the same for as long as we are.
      check_s: checkS(3600),
    }),
  ])
  .describe("An MCP server, whose tools are this connector's");

export const connectorSchema = z.strictObject({
  origin: origin.optional().describe("The only origin this connector dials"),
  mcp: mcpSchema.optional(),
  allow_private_addresses: z
    .boolean()
    .default(false)
    .describe("Loopback and private networks; the cloud's metadata address never"),
  delegation: z
    .discriminatedUnion("kind", [exchangeSchema, connectionSchema, keySchema])
    .optional()
    .describe("How the user's own token for it is had; what is reached by an address needs one"),
  contract: z
    .strictObject({
      document: url.describe("Its OpenAPI document; fetched without any credential"),
      check_s: z.int().min(1).max(604_800).default(86_400).describe("How often it is looked at"),
    })
    .optional()
    .describe("Where a changed API shows; without it, in answers alone"),
});

export type ConnectorConfig = z.infer<typeof connectorSchema>;
export type DelegationConfig = NonNullable<ConnectorConfig["delegation"]>;

/** Whether its MCP server is a program of this machine's, which the sandbox runs. */
export function isLocal({ mcp }: ConnectorConfig): boolean {
  return mcp !== undefined && "command" in mcp;
}

/** The only origin that a connector dials; nothing where it dials none. */
export function originOf({ origin: api, mcp }: ConnectorConfig): string | undefined {
  return api ?? (mcp !== undefined && "url" in mcp ? new URL(mcp.url).origin : undefined);
}

/** The same by the connector's name. */
export function originIn(
  { connectors }: { readonly connectors: Readonly<Record<string, ConnectorConfig>> },
  name: string,
): string | undefined {
  const connector = own(connectors, name);
  return connector === undefined ? undefined : originOf(connector);
}

/** What one field of a connector cannot know of another. */
export function checkConnector(at: string, connector: ConnectorConfig, report: Report): void {
  const { origin: api, mcp, delegation, contract } = connector;
  if ((api === undefined) === (mcp === undefined)) {
    report(at, "is neither an API nor an MCP server, or both", "name either origin or mcp");
  }
  if (isLocal(connector)) {
    const mend = "remove it: a server in the sandbox has nothing to reach as anybody";
    if (delegation !== undefined) report(`${at}/delegation`, "a local server has no token", mend);
  } else if (delegation === undefined) {
    const mend = "say how each user's own token is had: exchange, connection or key";
    report(at, "has no delegation", mend);
  }
  if (contract !== undefined && mcp !== undefined) {
    const mend = "remove it: an MCP server says itself what its tools are";
    report(`${at}/contract`, "an MCP server has no OpenAPI document", mend);
  }
}
