// Traces: W3C trace context in, a new child out, and spans through the OpenTelemetry API.
// The audit record carries the trace id whether or not anybody records spans.
import { context, SpanKind, SpanStatusCode, trace, TraceFlags } from "@opentelemetry/api";
import type { Span } from "@opentelemetry/api";
import { idBytes } from "../kernel/ids.ts";

const tracer = trace.getTracer("doorless");
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

export interface TraceContext {
  readonly trace_id: string;
  readonly span_id: string;
  readonly sampled: boolean;
}

/**
 * Reads a `traceparent`; anything malformed or all-zero is as if there were none.
 * @see [W3C Trace Context](https://www.w3.org/TR/trace-context/#traceparent-header)
 */
export function parseTraceparent(value: unknown): TraceContext | undefined {
  const match = typeof value === "string" ? TRACEPARENT.exec(value) : null;
  if (match === null) return undefined;
  const [, trace_id = "", span_id = "", flags = "00"] = match;
  if (/^0+$/.test(trace_id) || /^0+$/.test(span_id)) return undefined;
  return { trace_id, span_id, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

export function formatTraceparent(at: TraceContext): string {
  return `00-${at.trace_id}-${at.span_id}-${at.sampled ? "01" : "00"}`;
}

export interface CallSpan {
  /** Our own child: what goes downstream and into the record. */
  readonly context: TraceContext;
  end(outcome: string, error_code?: string): void;
}

/** Starts the span of one tool call, as a child of the client's where it sent one. */
export function startCallSpan(tool: string, parent: TraceContext | undefined): CallSpan {
  const above =
    parent === undefined
      ? context.active()
      : trace.setSpanContext(context.active(), {
          traceId: parent.trace_id,
          spanId: parent.span_id,
          traceFlags: parent.sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
          isRemote: true,
        });
  const span = tracer.startSpan(
    `tools/call ${tool}`,
    {
      kind: SpanKind.SERVER,
      // Names of open-telemetry/semantic-conventions-genai, docs/gen-ai/mcp.md (development).
      attributes: {
        "mcp.method.name": "tools/call",
        "gen_ai.tool.name": tool,
        "gen_ai.operation.name": "execute_tool",
      },
    },
    above,
  );
  return {
    context: ownContext(span, parent),
    end: (outcome, code) => endSpan(span, outcome, code),
  };
}

// Without a registered SDK the API's span is its parent's context: then the child id is ours.
function ownContext(span: Span, parent: TraceContext | undefined): TraceContext {
  const { traceId, spanId, traceFlags } = span.spanContext();
  if (span.isRecording()) {
    return { trace_id: traceId, span_id: spanId, sampled: (traceFlags & TraceFlags.SAMPLED) !== 0 };
  }
  return {
    trace_id: parent?.trace_id ?? idBytes(16).toString("hex"),
    span_id: idBytes(8).toString("hex"),
    sampled: parent?.sampled ?? false,
  };
}

function endSpan(span: Span, outcome: string, error_code: string | undefined): void {
  span.setAttribute("doorless.outcome", outcome);
  if (error_code !== undefined) {
    span.setAttribute("error.type", error_code);
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}
