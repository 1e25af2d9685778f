// A user's own key is any text, and JSON writes some of it in more than one way.
import { expect } from "vitest";
import { createBroker } from "../../src/sandbox/broker.ts";
import { Secret } from "../../src/kernel/secret.ts";
import { openApi } from "../setup/hostile-peer.ts";
import { configFrom, minimalConfig } from "../setup/minimal.ts";
import { verifies } from "../verifies.ts";

const KEY = "sk/canary+2f9c71/==";

verifies(
  "broker.token-echo",
  "a key with slashes is recognised however it is written",
  async () => {
    const api = await openApi();
    const delegation = { kind: "key", header: "X-Api-Key", scheme: "", help: "Settings" };
    const shop = { origin: api.origin, delegation, allow_private_addresses: true };
    const broker = createBroker(configFrom(minimalConfig({ connectors: { shop } })));
    const codes: unknown[] = [];
    try {
      for (const said of [KEY, KEY.replaceAll("/", String.raw`\/`), encodeURIComponent(KEY), "-"]) {
        api.answer = (res) => res.writeHead(200).end(`{"name":"${said}"}`);
        const answer = await broker.dispatch(
          {
            connector: {
              name: "shop",
              title: "Shop",
              request_id_header: "X-Request-Id",
              idempotency_header: undefined,
              headers: {},
            },
            request: { method: "GET", path: "/items", headers: {}, body: undefined },
            token: new Secret(KEY),
            call_id: "call",
            traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            idempotency_key: undefined,
            timeout_ms: 5000,
            response_bytes_max: 4096,
            effect_if_sent: "none",
            moved: () => undefined,
            signals: [],
          },
          () => undefined,
        );
        codes.push(answer.ok ? "ok" : answer.refusal.code);
      }
    } finally {
      await broker.close();
      await api.close();
    }
    const exposed = "credential_exposed";
    expect(codes).toEqual([exposed, exposed, exposed, "ok"]);
  },
);
