// Metrics: the Prometheus text format, as a scraper reads it.
import { expect } from "vitest";
import { Metrics } from "../../../src/telemetry/metrics.ts";
import { verifies } from "../../verifies.ts";

verifies("house.health", "the text of /metrics is well-formed line by line", () => {
  const metrics = new Metrics();
  metrics.calls.add({ tool: "a", outcome: "ok" });
  metrics.calls.add({ tool: "a", outcome: "ok" });
  metrics.calls.add({ tool: 'odd"\n\\', outcome: "refused" });
  metrics.call_seconds.observe({ tool: "a" }, 0.003);
  metrics.call_seconds.observe({ tool: "a" }, 99);
  metrics.gauge("doorless_ready", "1 while calls are accepted", () => 1);
  const text = metrics.text();
  expect(text.endsWith("\n")).toBe(true);
  for (const line of text.trimEnd().split("\n")) {
    expect(line).toMatch(
      /^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="(\\.|[^"\\])*"(,\w+="[^"]*")*\})? [\d.]+)$/,
    );
  }
  expect(text).toContain('doorless_calls_total{tool="a",outcome="ok"} 2\n');
  expect(text).toContain(String.raw`tool="odd\"\n\\"`);
  expect(text).toContain("doorless_ready 1\n");
});

verifies("house.health", "a histogram's buckets add up to its count", () => {
  const metrics = new Metrics();
  for (const seconds of [0.001, 0.003, 0.2, 99])
    metrics.call_seconds.observe({ tool: "a" }, seconds);
  const name = "doorless_call_duration_seconds";
  const text = metrics.text();
  const bucket = (le: string): number =>
    Number(new RegExp(`${name}_bucket\\{tool="a",le="${le}"\\} (\\d+)`).exec(text)?.[1]);
  expect([bucket("0\\.001"), bucket("0\\.005"), bucket("10"), bucket("\\+Inf")]).toEqual([
    1, 2, 3, 4,
  ]);
  expect(text).toContain(`${name}_count{tool="a"} 4\n`);
  expect(text).toMatch(new RegExp(`${name}_sum\\{tool="a"\\} 99\\.20`));
});
