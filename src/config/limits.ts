// Every bound has a name, with its unit last, and a value that is never "unlimited" (DESIGN 7).
import { z } from "zod";

const count = (standard: number, max: number) => z.int().min(1).max(max).default(standard);

/** A rate as GCRA counts it: `calls` per `per_s` seconds, of which `burst` may come at once. */
const rateSchema = z
  .strictObject({
    calls: z.int().min(1).max(1_000_000),
    per_s: z.int().min(1).max(86_400),
    burst: z.int().min(1).max(1_000_000),
  })
  .refine((rate) => rate.burst <= rate.calls, {
    path: ["burst"],
    error: "burst must not exceed calls",
  });

const rate = (calls: number, per_s: number, burst: number) =>
  rateSchema.default({ calls, per_s, burst });

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
    headers_timeout_ms: count(10_000, 60_000),
    request_timeout_ms: count(30_000, 120_000).describe("Time to receive one whole request"),
  })
  .refine((http) => http.headers_timeout_ms <= http.request_timeout_ms, {
    path: ["headers_timeout_ms"],
    error: "headers_timeout_ms must not exceed request_timeout_ms",
  });

export const limitsSchema = z.strictObject({
  requests_per_user: rate(1200, 60, 240).describe("MCP requests of any kind, per user"),
  calls_per_user: rate(600, 60, 120).describe("Tool calls, per user over all agents"),
  calls_per_session: rate(600, 60, 120).describe("Tool calls, per session"),
  calls_per_user_and_tool: rate(300, 60, 60).describe("Calls of one tool, per user"),
  running_calls_per_user_max: count(16, 1024),
  running_calls_max: count(256, 65_536),
  exclusive_idle_s: count(900, 86_400).describe("How long an exclusive agent counts as in use"),
  keys_max: count(100_000, 10_000_000).describe("Limiter keys in memory; beyond them, refusal"),
});

export type HttpLimits = z.infer<typeof httpLimitsSchema>;
export type Rate = z.infer<typeof rateSchema>;
