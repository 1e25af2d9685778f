// The one schema of mcp.config.json. Unknown keys are errors; nothing here can hold a shared
// downstream credential, because no field for one exists (DESIGN section 1, identity).
import { z } from "zod";
import { connectorSchema } from "./connector.ts";
import { name, origin, scopeName, secretRef, url } from "./fields.ts";
import { isolationSchema } from "./isolation.ts";
import { httpLimitsSchema, limitsSchema } from "./limits.ts";
import { agentToolsSchema, roleSchema } from "./rules.ts";

const pointer = z
  .string()
  .regex(/^(?:\/[^/]*)+$/, "a JSON pointer into the token's claims, such as /realm_access/roles");

const claimsSchema = z.strictObject({
  tenant: pointer.optional().describe("Where the token names the tenant"),
  roles: pointer.describe("Where the token lists the roles: an array of strings, or one string"),
  name: pointer.default("/name").describe("A readable name, for the ledger's readers"),
  family: pointer.default("/sid").describe("What ties the tokens of one sign-in together"),
  required: z
    .array(pointer)
    .default([])
    .describe("Claims without which nobody can say what a user may do: calls then say so"),
  attributes: z
    .record(
      z
        .string()
        .regex(/^[a-z][a-z0-9_]{0,47}$/, "[a-z][a-z0-9_]*")
        .refine((key) => !["subject", "tenant", "issuer"].includes(key), "is known already"),
      pointer,
    )
    .default({})
    .describe("More that rules may ask of the user, as principal.NAME: texts, or lists of texts"),
});

const bound_ms = z
  .int()
  .min(100)
  .max(10_000)
  .default(2000)
  .describe("How old the provider's word may be when something happens on the strength of it");

const livenessSchema = z
  .discriminatedUnion("source", [
    z
      .strictObject({ source: z.literal("introspection"), bound_ms })
      .describe("The provider is asked about each token (RFC 7662); needs `client`"),
    z
      .strictObject({
        source: z.literal("exchange"),
        bound_ms,
        connector: name.describe("The API to ask a token for; the token is thrown away"),
        scopes: z.array(z.string().min(1)).default([]),
      })
      .describe("A token exchange is tried (RFC 8693), for providers that introspect no JWTs"),
    z
      .strictObject({ source: z.literal("events"), accepted: z.literal(true) })
      .describe("The provider pushes; an event that is lost counts at the token's end: accepted"),
    z
      .strictObject({ source: z.literal("token_lifetime"), accepted: z.literal(true) })
      .describe("Nobody is asked: whoever is revoked goes on until the token ends: accepted"),
  ])
  .describe("How the end of a user's access at this provider becomes known");

const eventsSchema = z
  .strictObject({
    backchannel_logout: z
      .strictObject({ client_id: z.string().min(1).describe("The aud of its logout tokens") })
      .optional()
      .describe("OpenID Connect Back-Channel Logout, to /events/backchannel-logout"),
    shared_signals: z
      .strictObject({
        audience: z.string().min(1).describe("The aud of its security event tokens"),
        authorization: secretRef.optional().describe("The whole Authorization header it sends"),
      })
      .optional()
      .describe("Shared Signals by push (RFC 8935), to /events/ssf"),
  })
  .refine((events) => Object.keys(events).length > 0, "name one kind of event")
  .describe("What this provider pushes to us");

const issuerSchema = z.strictObject({
  issuer: url.describe("Exactly as in the token's iss claim"),
  demo: z.literal(true).optional().describe("The demo's provider: `start` refuses it"),
  algorithms: z
    .array(z.enum(["ES256", "ES384", "ES512", "PS256", "PS384", "RS256", "RS384", "EdDSA"]))
    .min(1)
    .default(["ES256", "PS256", "RS256", "EdDSA"]),
  profile: z
    .enum(["rfc9068", "keycloak", "auth0", "okta", "entra"])
    .default("rfc9068")
    .describe(
      "How its access tokens are written, and tokens for an API asked for, where it deviates",
    ),
  actors: z
    .array(z.string().min(1))
    .default([])
    .describe("Who may stand in a token's actor chain (RFC 8693 act); nobody unless named"),
  token_lifetime_s_max: z.int().min(30).max(86_400).default(3600),
  claims: claimsSchema,
  tenants: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe("The tenants this issuer may speak for; a token of another is refused"),
  roles: z
    .record(z.string(), name)
    .optional()
    .describe("The provider's names for our roles; without it they are the same"),
  client: z
    .strictObject({ client_id: z.string().min(1), client_secret: secretRef })
    .optional()
    .describe("doorless as a confidential client: it exchanges tokens, and signs people in"),
  native: z
    .strictObject({ client_id: z.string().min(1) })
    .optional()
    .describe("doorless as a public client, for `login` where programs may not register"),
  trusted_to_ask: z
    .array(z.string().min(1))
    .default([])
    .describe("Clients (client_id) whose own question to the user counts; nobody unless named"),
  liveness: livenessSchema.optional(),
  events: eventsSchema.optional(),
  allow_private_addresses: z.boolean().default(false),
});

const tokensSchema = z.union([
  z
    .strictObject({ audience: z.literal("own"), scope: scopeName.optional() })
    .describe("The audience is this agent's URL; a scope where the provider insists on one"),
  z
    .strictObject({
      audience: z.string().min(1),
      scope: scopeName,
    })
    .describe("A shared audience, and the one scope that names this agent"),
  z
    .strictObject({ audience: z.string().min(1), clients: z.array(z.string().min(1)).min(1) })
    .describe("A shared audience, and the pre-registered clients of this agent"),
]);

const agentSchema = z.strictObject({
  title: z.string().min(1).max(100),
  purpose: z.string().min(1).max(300).describe("What it is for; shown to clients"),
  issuers: z.array(name).min(1).optional().describe("Whose users may come; without it, all"),
  tokens: tokensSchema.default({ audience: "own" }),
  exclusive: z
    .boolean()
    .default(false)
    .describe("While a user has it open in a client, that client gets no other agent of hers"),
  ...agentToolsSchema,
});

const anchorSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("file"), path: z.string().min(1) }),
  z.strictObject({
    kind: z.literal("http"),
    url,
    authorization: secretRef.optional().describe("The whole Authorization header"),
  }),
  z.strictObject({
    kind: z.literal("syslog"),
    host: z.string().min(1),
    port: z.int().min(1).max(65_535).default(514),
    transport: z.enum(["udp", "tcp"]),
  }),
]);

const copied = {
  required: z
    .boolean()
    .default(false)
    .describe("No call begins while it is further behind than lag_ms_max"),
  lag_ms_max: z
    .int()
    .min(1000)
    .max(86_400_000)
    .default(10_000)
    .describe("How old the oldest record may be that it lacks"),
  timeout_ms: z.int().min(100).max(60_000).default(10_000),
};

const sinkSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("http"),
    url,
    authorization: secretRef.optional().describe("The whole Authorization header"),
    ...copied,
  }),
  z.strictObject({
    kind: z.literal("syslog"),
    host: z.string().min(1),
    port: z.int().min(1).max(65_535).default(601),
    ...copied,
  }),
]);

export const configSchema = z.strictObject({
  $schema: z.string().optional(),
  public_url: origin.describe("The origin that clients reach; the agents' audiences start with it"),
  listen: z.strictObject({
    host: z.string().min(1).default("127.0.0.1"),
    port: z.int().min(0).max(65_535),
  }),
  data: z.string().min(1).default(".doorless").describe("State: the ledger, the socket, keys"),
  tools: z.string().min(1).default("tools").describe("The catalogue's folder"),
  issuers: z.record(name, issuerSchema).refine((x) => Object.keys(x).length > 0, "name one issuer"),
  agents: z.record(name, agentSchema).refine((x) => Object.keys(x).length > 0, "name one agent"),
  roles: z.record(name, roleSchema),
  shadow: z
    .string()
    .min(1)
    .optional()
    .describe("Another configuration: what its agents and roles would refuse is recorded"),
  connectors: z.record(name, connectorSchema),
  people: z
    .record(
      z.string().min(1),
      z.strictObject({
        issuer: name,
        tenant: z.string().min(1).optional(),
        roles: z.array(name),
        attributes: z
          .record(z.string(), z.union([z.string(), z.array(z.string())]))
          .default({})
          .describe("What the issuer's claims.attributes would be"),
      }),
    )
    .default({})
    .describe("People by subject, for `surface`, `explain` and `plan`; gives nobody anything"),
  allowed_origins: z
    .array(origin)
    .default([])
    .describe("Web pages that may call /mcp, besides public_url"),
  metrics_token: secretRef
    .optional()
    .describe("An operator's token for /metrics where public_url is not loopback"),
  http: httpLimitsSchema.prefault({}),
  limits: limitsSchema.prefault({}),
  delegation: z
    .strictObject({ reuse_ms_max: z.int().min(0).max(10_000).default(2000) })
    .prefault({})
    .describe("How long an exchanged token may be used again: the revocation bound"),
  vault: z
    .strictObject({ keys: z.string().min(1).optional() })
    .prefault({})
    .describe("The file of the keys that wrap people's links; by default beside the data folder"),
  ledger: z
    .strictObject({
      segment_bytes_max: z.int().min(65_536).max(1_073_741_824).default(67_108_864),
      disk_free_bytes_min: z
        .int()
        .min(0)
        .max(1_099_511_627_776)
        .optional()
        .describe("No call begins below it; by default an eighth of the volume, at most 256 MiB"),
      anchors: z
        .array(anchorSchema)
        .default([])
        .describe("Where checkpoints go, so that a cut tail shows; on another system"),
      sinks: z
        .record(name, sinkSchema)
        .default({})
        .describe("Where the log's lines are copied to, each with a cursor of its own"),
      keep_days: z
        .int()
        .min(1)
        .max(36_500)
        .optional()
        .describe("Whole segments that are older are dropped; without it, none ever is"),
      without_anchor: z
        .literal("accepted")
        .optional()
        .describe("Beyond loopback: that nobody else keeps a checkpoint is accepted"),
    })
    .prefault({}),
  isolation: isolationSchema.prefault({}).describe("Where tool code and generated code run"),
});

/** The file as written, with defaults filled in. Secrets are still references. */
export type ConfigFile = z.infer<typeof configSchema>;
export type IssuerConfig = ConfigFile["issuers"][string];
export type AgentConfig = ConfigFile["agents"][string];

/** The JSON Schema that editors use and `doorless schema` prints. */
export function configJsonSchema(): Record<string, unknown> {
  return { title: "doorless mcp.config.json", ...z.toJSONSchema(configSchema, { io: "input" }) };
}
