// The small public routes: protected-resource metadata, health, readiness, metrics.
import { Hono } from "hono";
import type { Config } from "../config/load.ts";
import { resourceMetadata } from "../identity/metadata.ts";
import type { Metrics } from "../telemetry/metrics.ts";

interface Environment {
  readonly Bindings: { readonly mayMeasure: boolean };
}

/** Answers every path that is not an MCP endpoint. `mayMeasure`: may read the metrics. */
export function createPages(config: Config, metrics: Metrics, ready: () => boolean) {
  const app = new Hono<Environment>();
  const names = Object.keys(config.agents);
  for (const name of names) {
    const document = resourceMetadata(config, name);
    const path = `/.well-known/oauth-protected-resource/mcp/${name}`;
    app.get(path, (c) => c.json(document, 200, { "access-control-allow-origin": "*" }));
  }
  // The root form, for older clients: it can only mean something where there is one agent.
  const [only] = names;
  if (only !== undefined && names.length === 1) {
    const document = resourceMetadata(config, only);
    app.get("/.well-known/oauth-protected-resource", (c) =>
      c.json(document, 200, { "access-control-allow-origin": "*" }),
    );
  }
  app.get("/healthz", (c) => c.json({ status: "ok" }));
  app.get("/readyz", (c) =>
    ready() ? c.json({ status: "ready" }) : c.json({ status: "not ready" }, 503),
  );
  app.get("/metrics", (c) =>
    c.env.mayMeasure
      ? c.text(metrics.text())
      : c.json({ error: "loopback, or an operator's token" }, 403),
  );
  app.notFound((c) => c.json({ error: "not found" }, 404));
  return async (path: string, method: string, mayMeasure: boolean): Promise<Response> =>
    app.fetch(new Request(new URL(path, config.public_url), { method }), { mayMeasure });
}
