// A record as an event of OCSF 1.9.0, class API Activity. What that has no place for stands in
// `unmapped` under our own names, so that nothing is lost on the way to whoever collects events.
import type { AuditRecord } from "../ledger/record.ts";
import { VERSION } from "../kernel/version.ts";

const SCHEMA_VERSION = "1.9.0";
const FAILED = [2, "Failure"] as const;
const STATUS = { ok: [1, "Success"], unknown: [0, "Unknown"] } as const;

/** @see [OCSF, API Activity](https://schema.ocsf.io/1.9.0/classes/api_activity) */
export function ocsfOf(record: AuditRecord): Readonly<Record<string, unknown>> {
  const { call_id, time, session, issuer, client_id, error_code, outcome, tenant } = record;
  const { user, subject, agent, tool, target, trace_id, count, duration_ms, ...rest } = record;
  const name = typeof tool === "string" ? tool : "(unknown)";
  const [status_id, status] = outcome === "ok" || outcome === "unknown" ? STATUS[outcome] : FAILED;
  const org = tenant === null ? {} : { org: { uid: tenant } };
  return {
    activity_id: 99,
    activity_name: "Invoke",
    category_uid: 6,
    category_name: "Application Activity",
    class_uid: 6003,
    class_name: "API Activity",
    type_uid: 600_399,
    type_name: "API Activity: Other",
    severity_id: 1,
    severity: "Informational",
    time: Date.parse(time),
    duration: Math.round(duration_ms),
    count: count ?? 1,
    message: `${user} called ${name} through ${agent}: ${error_code ?? outcome}`,
    status_id,
    status,
    ...(error_code === null ? {} : { status_code: error_code }),
    status_detail: outcome,
    actor: {
      user: { uid: subject, name: user, domain: issuer, type_id: 1, type: "User", ...org },
      session: { uid: session, issuer },
      app_uid: client_id,
    },
    api: {
      operation: "tools/call",
      service: { name: `mcp/${agent}` },
      request: { uid: call_id },
      ...(error_code === null ? {} : { response: { error: error_code } }),
    },
    // The address of a client is not recorded: it says what it is, and who vouched for it.
    src_endpoint: { uid: session, svc_name: client_id },
    resources: [
      { type: "tool", name },
      ...(target === null ? [] : [{ type: "record", uid: target }]),
    ],
    metadata: {
      version: SCHEMA_VERSION,
      product: { name: "doorless", vendor_name: "doorless", version: VERSION },
      uid: call_id,
      correlation_uid: trace_id,
      log_name: "ledger",
      original_time: time,
      ...(tenant === null ? {} : { tenant_uid: tenant }),
    },
    unmapped: { doorless: { ...rest, agent, tool } },
  };
}
