// Every bound has a name, with its unit last, and a value that is never "unlimited" (DESIGN 7).
import { z } from "zod";

const count = (standard: number, max: number) => z.int().min(1).max(max).default(standard);

/** Beyond it a rate that is not round could not be counted in whole numbers. */
const UNEVEN_CALLS_MAX = 10_000;
const REFILL_S_MAX = 31 * 86_400;

/** As GCRA counts it: `calls` per `per_s` seconds, of which `burst` may come at once. */
export interface Rate {
  readonly calls: number;
  readonly per_s: number;
  readonly burst: number;
}

const rateSchema = z
  .strictObject({
    calls: z.int().min(1).max(1_000_000),
    per_s: z.int().min(1).max(86_400),
    burst: z.int().min(1).max(1_000_000),
  })
  .refine((rate) => ticksOf(rate).per_ms <= UNEVEN_CALLS_MAX, {
    path: ["calls"],
    error: "calls over 10000 must be round: a multiple of 1000, or of per_s",
  })
  .refine(({ calls, per_s, burst }) => (burst * per_s) / calls <= REFILL_S_MAX, {
    path: ["burst"],
    error: "burst would take more than 31 days to come back: fewer, or more calls",
  });

/**
 * The unit in which a rate is counted without a rest: so many ticks are a millisecond, and so many
 * one call.
 */
export function ticksOf({ calls, per_s }: Omit<Rate, "burst">): {
  per_ms: number;
  per_call: number;
} {
  const ms = per_s * 1000;
  const divisor = greatestDivisor(calls, ms);
  return { per_ms: calls / divisor, per_call: ms / divisor };
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

const rate = (calls: number, per_s: number, burst: number) =>
  rateSchema.default({ calls, per_s, burst });

/** What may be used up in a day, from midnight to midnight UTC. */
const budget = (calls: number, bytes: number, cost: number) =>
  z
    .strictObject({
      calls: count(calls, 1_000_000_000),
      bytes: count(bytes, 1_125_899_906_842_624).describe("To and from the APIs"),
      cost: count(cost, 1_000_000_000).describe("Units; `costs` says how many a call takes"),
    })
    .prefault({});

export const httpLimitsSchema = z
  .strictObject({
    body_bytes_max: count(1_048_576, 16_777_216).describe("Largest MCP request body, bytes"),
    depth_max: count(32, 256).describe("Deepest nesting of a request body"),
    keys_max: count(10_000, 1_000_000).describe("Keys and items in one request body"),
    token_bytes_max: count(16_384, 65_536).describe("Longest access token, bytes"),
    connections_max: count(1024, 65_536).describe("Open connections"),
    requests_per_user_max: count(64, 4096).describe("Requests of one user under way at once"),
    streams_per_user_max: count(32, 4096).describe("Open streams of one user"),
    transport_sessions_max: count(1024, 65_536).describe("MCP sessions of the 2025 eras, in all"),
    transport_sessions_per_user_max: count(16, 1024),
    transport_session_idle_s: count(1800, 86_400),
    strangers_per_address: rate(1200, 60, 600).describe(
      "Requests that nobody vouches for, per network address (of IPv6, its /64)",
    ),
    client_address: z
      .strictObject({
        header: z
          .string()
          .regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, "the name of a header")
          .default("X-Forwarded-For"),
        proxies: count(1, 8).describe("How many of yours add to it, each at its end"),
      })
      .optional()
      .describe("Behind a proxy: where it says who asks. Without it, whoever is connected"),
    headers_timeout_ms: count(10_000, 60_000),
    request_timeout_ms: count(30_000, 120_000).describe("Time to receive one whole request"),
  })
  .refine((http) => http.headers_timeout_ms <= http.request_timeout_ms, {
    path: ["headers_timeout_ms"],
    error: "headers_timeout_ms must not exceed request_timeout_ms",
  });

const loopsSchema = z
  .strictObject({
    same_calls_max: z
      .int()
      .min(3)
      .max(1_000_000)
      .default(30)
      .describe("The same call, or the same two in turn, so often and no other between"),
    same_errors_max: z
      .int()
      .min(2)
      .max(1_000_000)
      .default(10)
      .describe("Failures of one tool with one error, whatever the arguments"),
    within_s: count(60, 3600).describe("A pause of this length ends a loop"),
  })
  .prefault({});

const asTheUsers = "Without it, as much as the user's";

export const limitsSchema = z.strictObject({
  requests_per_user: rate(1200, 60, 240).describe("MCP requests of any kind, per user"),
  requests_per_session: rateSchema.optional().describe(`The same, per session. ${asTheUsers}`),
  calls_per_user: rate(600, 60, 120).describe("Tool calls, per user over all agents"),
  calls_per_session: rateSchema.optional().describe(`Tool calls, per session. ${asTheUsers}`),
  calls_per_user_and_tool: rate(300, 60, 60).describe("Calls of one tool, per user"),
  calls_per_session_and_tool: rateSchema.optional().describe(`Per session. ${asTheUsers}`),
  calls_per_tenant: rate(120_000, 60, 24_000).describe("Tool calls, per tenant"),
  calls_per_tool: rate(120_000, 60, 24_000).describe("Calls of one tool, by everybody"),
  calls_per_client: rate(120_000, 60, 24_000).describe("Tool calls, per OAuth client"),
  destructive_calls_per_user: rate(60, 60, 30).describe("Calls of destructive tools, per user"),
  budget_per_user: budget(100_000, 4_294_967_296, 100_000),
  budget_per_tenant: budget(10_000_000, 1_099_511_627_776, 10_000_000),
  costs: z
    .record(z.string(), z.int().min(0).max(1_000_000))
    .default({})
    .describe("Cost units of one call, by tool; a tool that is not named takes 1"),
  loops: loopsSchema,
  request_bytes_max: count(262_144, 8_388_608).describe("Of one request to an API: its body"),
  result_tokens_max: count(25_000, 10_000_000).describe(
    "Of a result for the model, counted as one token for three bytes of its JSON",
  ),
  running_calls_per_user_max: count(16, 1024),
  running_calls_max: count(256, 65_536),
  approval_s: count(600, 86_400).describe("How long a call waits for a yes, and a yes for it"),
  approvals_per_user_max: count(20, 1000).describe(
    "Calls of one user that wait for a yes; of one agent and client as many as it leaves free",
  ),
  approvals_max: count(1000, 100_000).describe("Calls that wait for a yes, in all"),
  resend_s: count(600, 3600).describe(
    "How long a write that is sent again gets its first answer, and does not run once more",
  ),
  resend_bytes_per_user_max: count(8_388_608, 1_073_741_824).describe(
    "Answers of one user that are kept for that; beyond them, a key is refused",
  ),
  resend_bytes_max: count(134_217_728, 17_179_869_184).describe("The same, of all users"),
  exclusive_idle_s: count(900, 86_400).describe("How long an exclusive agent counts as in use"),
  keys_max: count(100_000, 10_000_000).describe("Limiter keys in memory; beyond them, refusal"),
});

/** Models' tokenizers differ; of JSON none takes much fewer bytes for a token. */
export const BYTES_PER_TOKEN = 3;
/** What is kept of a call beside its answer. */
export const KEPT_FRAME_BYTES = 1024;
/** What an error says at most, and sealing adds. */
const KEPT_ERROR_BYTES = 4096;

/** The most that the answer of one call takes where it is kept: sealed, in base64. */
export function keptBytesMax({ result_tokens_max }: Pick<LimitsConfig, "result_tokens_max">) {
  const bytes = result_tokens_max * BYTES_PER_TOKEN + KEPT_ERROR_BYTES;
  return Math.ceil((bytes * 4) / 3) + KEPT_FRAME_BYTES;
}

export type HttpLimits = z.infer<typeof httpLimitsSchema>;
export type LimitsConfig = z.infer<typeof limitsSchema>;
