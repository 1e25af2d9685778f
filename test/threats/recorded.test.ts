// The ledger after an attack: one whole record for each call of somebody we know, with the code
// that the caller was told, and not a line for strangers (T18, T26).
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect } from "vitest";
import { verifyLedger } from "../../src/ledger/verify.ts";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { json, newKey, nowS } from "../setup/hostile-provider.ts";
import type { Claims } from "../setup/hostile-provider.ts";
import { callTool } from "../setup/mcp-post.ts";
import type { Called } from "../setup/mcp-post.ts";
import { verifies } from "../verifies.ts";

let boundary: Boundary;

beforeAll(async () => {
  const limits = { running_calls_per_user_max: 2 };
  boundary = await openBoundary({ file: { limits: { ...UNLIMITED, ...limits } } });
});

beforeEach(async () => {
  boundary.provider.behave();
  await boundary.api.behave();
});

afterAll(() => boundary.close());

const many = { calls: 100_000, per_s: 60, burst: 10_000 };
const UNLIMITED = {
  requests_per_user: many,
  calls_per_user: many,
  calls_per_session: many,
  calls_per_user_and_tool: { calls: 40, per_s: 86_400, burst: 40 },
};

async function call(tool: string, args: unknown, changes: Claims = {}): Promise<Called> {
  const bearer = `Bearer ${await boundary.token("desk", changes)}`;
  return callTool(`${boundary.url}/mcp/desk`, bearer, tool, args);
}

const RENAME = { id: "7", name: "x" };

interface Case {
  readonly code: string | null;
  readonly kinds: readonly string[];
  readonly run: () => Promise<Called>;
}

const BOTH = ["intent", "outcome"];
const REFUSAL = ["refusal"];

const CASES: Readonly<Record<string, Case>> = {
  "a call that went well": { code: null, kinds: BOTH, run: () => call("item_rename", RENAME) },
  "wrong arguments": {
    code: "invalid_arguments",
    kinds: REFUSAL,
    run: () => call("item_rename", { id: "7" }),
  },
  "another user's token": {
    code: "identity_mismatch",
    kinds: BOTH,
    run: () => {
      boundary.provider.issue = { claims: { sub: "bob" } };
      return call("item_rename", RENAME);
    },
  },
  "a grant that was revoked": {
    code: "reauth_required",
    kinds: BOTH,
    run: () => {
      boundary.provider.on.token = (_req, res) => json(res, 400, { error: "invalid_grant" });
      return call("item_rename", RENAME);
    },
  },
  "an API that fails": {
    code: "downstream_error",
    kinds: BOTH,
    run: () => {
      boundary.api.answer = (res) => res.writeHead(500).end();
      return call("item_rename", RENAME);
    },
  },
  "an API that breaks off": {
    code: "downstream_unavailable",
    kinds: BOTH,
    run: () => {
      boundary.api.answer = (res) => void res.socket?.resetAndDestroy();
      return call("item_rename", RENAME);
    },
  },
  "an answer of another shape": {
    code: "contract_drift",
    kinds: BOTH,
    run: () => {
      boundary.api.answer = (res) => res.writeHead(200).end("[]");
      return call("item_rename", RENAME);
    },
  },
  "an address that is not dialled": {
    code: "egress_refused",
    kinds: BOTH,
    run: () => call("metadata_get", {}),
  },
  "a limit that is reached": {
    code: "rate_limited",
    kinds: REFUSAL,
    run: async () => {
      const spender = { sub: "spender" };
      // Never the same call twice: that would be a loop.
      for (let id = 1; ; id++) {
        const called = await call("item_get", { id: String(id) }, spender);
        if (called.error?.code === "rate_limited") return called;
      }
    },
  },
};

const recordOf = (call_id: string): Claims[] =>
  boundary.ledger().filter((line) => line["call_id"] === call_id);

describe("the record of somebody we know", () => {
  for (const [what, { code, kinds, run }] of Object.entries(CASES)) {
    verifies(
      "bad-input.recorded",
      `is whole, and says what the caller heard: ${what}`,
      async () => {
        const called = await run();
        const record = recordOf(called.call_id);
        expect(called.error?.code ?? null).toBe(code);
        expect(record.map(({ kind }) => kind)).toEqual(kinds);
        expect(record[0]).toMatchObject({ agent: "desk", client_id: "an-ide", tenant: "acme" });
        expect(record.at(-1)).toMatchObject({ error_code: code });
        if (code !== null) expect(record.at(-1)?.["effect"]).toBe(called.error?.effect);
      },
    );
  }

  verifies("bad-input.recorded", "exists for a tool that does not", async () => {
    const lines = boundary.ledger().length;
    await call("no_such_tool", { any: "thing" });
    const added = boundary.ledger().slice(lines);
    expect(added).toMatchObject([
      { kind: "refusal", tool: { chars: 12 }, args: {}, error_code: "unknown_tool" },
    ]);
  });

  verifies("bad-input.recorded", "exists for each of many calls at once", async () => {
    // Two may run at once; identical refusals would be counted into one record.
    const ids = Array.from({ length: 12 }, (_, i) => String(i));
    const calls = await Promise.all(ids.map((id) => call("item_get", { id })));
    expect(calls.some(({ error }) => error?.code === "capacity")).toBe(true);
    for (const { call_id, error } of calls) {
      const record = recordOf(call_id);
      expect(record.at(-1)).toMatchObject({ error_code: error?.code ?? null });
      if (error === undefined) expect(record.map(({ kind }) => kind)).toEqual(BOTH);
    }
  });
});

describe("a stranger", () => {
  verifies("bad-input.recorded", "leaves no line in the ledger, and one in the log", async () => {
    const { provider } = boundary;
    const lines = boundary.ledger().length;
    const tokens = [
      await boundary.token("garage"),
      await boundary.token("desk", { exp: nowS() - 60, iat: nowS() - 120 }),
      await boundary.token("desk", { sub: "an-ide" }),
      await provider.sign(boundary.claims("desk"), {}, await newKey("key-1")),
      "garbage",
    ];
    const before = boundary.logged().length;
    for (const token of tokens) {
      const url = `${boundary.url}/mcp/desk`;
      const { status } = await callTool(url, `Bearer ${token}`, "item_rename", RENAME);
      expect(status).toBe(401);
    }
    expect(boundary.ledger()).toHaveLength(lines);
    const said = boundary.logged().slice(before);
    expect(said.match(/"msg":"not let in"/g)).toHaveLength(tokens.length);
    expect(boundary.api.seen).toEqual([]);
  });
});

describe("after all of it", () => {
  verifies(["bad-input.recorded", "ledger.chain"], "the chain is whole", () => {
    const { intact, problems, records } = verifyLedger(join(boundary.data, "ledger"));
    expect({ intact, problems }).toEqual({ intact: true, problems: [] });
    expect(records).toBe(boundary.ledger().length);
  });

  verifies("bad-input.recorded", "each request that the API saw has its intent", () => {
    const intents = boundary.ledger().filter(({ kind }) => kind === "intent");
    const outcomes = boundary.ledger().filter(({ kind }) => kind === "outcome");
    const ids = (lines: readonly Claims[]) => new Set(lines.map((line) => line["call_id"]));
    expect(ids(outcomes)).toEqual(ids(intents));
    expect(ids(intents).size).toBe(intents.length);
    expect(outcomes).toHaveLength(intents.length);
  });
});
