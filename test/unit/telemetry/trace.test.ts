// Trace context: what is read of a client's, and what goes on as a new child.
import { context, SpanStatusCode, trace } from "@opentelemetry/api";
import type { Span, SpanContext, Tracer } from "@opentelemetry/api";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  formatTraceparent,
  parseTraceparent,
  startCallSpan,
} from "../../../src/telemetry/trace.ts";
import { verifies } from "../../verifies.ts";

// The example of W3C Trace Context section 3.2.2.
const GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

describe("traceparent", () => {
  test("a good one is read and written back", () => {
    const read = parseTraceparent(GIVEN);
    expect(read).toEqual({
      trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
      span_id: "00f067aa0ba902b7",
      sampled: true,
    });
    if (read !== undefined) expect(formatTraceparent(read)).toBe(GIVEN);
  });

  for (const bad of [
    undefined,
    7,
    "",
    GIVEN.toUpperCase(),
    `${GIVEN}-more`,
    GIVEN.replace("00-", "ff-"),
    `00-${"0".repeat(32)}-00f067aa0ba902b7-01`,
    `00-4bf92f3577b34da6a3ce929d0e0e4736-${"0".repeat(16)}-01`,
    `${GIVEN}\r\nx: y`,
  ]) {
    test(`${JSON.stringify(bad) ?? "nothing"} is as if there were none`, () => {
      expect(parseTraceparent(bad)).toBeUndefined();
    });
  }

  verifies("house.traces", "a call is a new child in the client's trace", () => {
    const parent = parseTraceparent(GIVEN);
    const { context: own } = startCallSpan("item_get", parent);
    expect(own.trace_id).toBe(parent?.trace_id);
    expect(own.span_id).toMatch(/^[0-9a-f]{16}$/);
    expect(own.span_id).not.toBe(parent?.span_id);
    expect(own.sampled).toBe(true);
  });

  verifies("house.traces", "without the client's a call begins a trace of its own", () => {
    const one = startCallSpan("item_get", undefined).context;
    const two = startCallSpan("item_get", undefined).context;
    expect(one.trace_id).toMatch(/^[0-9a-f]{32}$/);
    expect(one.trace_id).not.toBe(two.trace_id);
    expect(parseTraceparent(formatTraceparent(one))).toEqual(one);
  });
});

interface Recorded {
  readonly name: string;
  readonly attributes: Record<string, unknown>;
  readonly above: SpanContext | undefined;
  status: number | undefined;
  ended: boolean;
}

/** An operator's SDK, as small as can be. */
function registerTracer(): Recorded[] {
  const spans: Recorded[] = [];
  const own: SpanContext = { traceId: "a".repeat(32), spanId: "b".repeat(16), traceFlags: 1 };
  const startSpan: Tracer["startSpan"] = (name, options, at) => {
    const above = trace.getSpanContext(at ?? context.active());
    const attributes: Record<string, unknown> = { ...options?.attributes };
    const span: Recorded = { name, attributes, above, status: undefined, ended: false };
    spans.push(span);
    return {
      spanContext: () => own,
      isRecording: () => true,
      setAttribute: (key: string, value: unknown) => void (attributes[key] = value),
      setStatus: ({ code }: { code: number }) => void (span.status = code),
      end: () => void (span.ended = true),
    } as unknown as Span;
  };
  const tracer = { startSpan } as Tracer;
  trace.setGlobalTracerProvider({ getTracer: () => tracer });
  onTestFinished(() => trace.disable());
  return spans;
}

verifies(
  "house.traces",
  "with an SDK the span says tool, outcome and error, and no argument",
  () => {
    const spans = registerTracer();
    const span = startCallSpan("item_get", parseTraceparent(GIVEN));
    expect(span.context.span_id).toBe("b".repeat(16));
    span.end("rate_limited", "rate_limited");
    expect(spans).toHaveLength(1);
    expect(spans[0]).toMatchObject({
      name: "tools/call item_get",
      above: { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", isRemote: true },
      status: SpanStatusCode.ERROR,
      ended: true,
    });
    expect(spans[0]?.attributes).toEqual({
      "mcp.method.name": "tools/call",
      "gen_ai.tool.name": "item_get",
      "gen_ai.operation.name": "execute_tool",
      "doorless.outcome": "rate_limited",
      "error.type": "rate_limited",
    });
  },
);
