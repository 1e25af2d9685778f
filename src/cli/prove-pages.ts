// The promise about lists: all pages of one are one answer, and one that does not end, goes round
// or drops what leads on is an error; and about what an API announces of its end in its answers.
// The tool is the draft of the demo's own document.
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildTool } from "../catalog/build.ts";
import type { DeclarativeTool } from "../catalog/definition.ts";
import {
  findingsIn,
  Notices,
  NOTICES_FILE,
  operationOf,
  readNotices,
  noticed,
} from "../catalog/notices.ts";
import { stopping } from "../catalog/suspensions.ts";
import { toolFileSchema } from "../catalog/tool-file.ts";
import { readPages, shapeOf } from "../gate/whole.ts";
import type { Bounds } from "../gate/whole.ts";
import { systemClock } from "../kernel/clock.ts";
import { Secret } from "../kernel/secret.ts";
import { createBroker } from "../sandbox/broker.ts";
import type { BrokerRequest } from "../sandbox/request.ts";
import { buildRequest } from "../sandbox/request.ts";
import { CONNECTOR, everything } from "./prove-import.ts";
import { must } from "./prove-stage.ts";
import type { Stage } from "./prove-stage.ts";

const OPERATION = "GET /crm/customers";
const CUSTOMER = { id: 1, name: "Ada", email: "a@x.test", plan: "free", tenant: "acme" };

type Headers = Parameters<Notices["heard"]>[2];
/** What the API says at a cursor: a page, and what leads on. */
type Api = (cursor: string | null) => object;

const APIS: Readonly<Record<string, readonly [Api, string]>> = {
  "three pages": [(at) => page(at === "3" ? null : String(Number(at ?? 1) + 1)), "3 items"],
  "an endless list": [(at) => page(String(Number(at ?? 1) + 1)), "result_too_large"],
  "a circle": [(at) => page(at === "a" ? "b" : "a"), "contract_drift"],
  "no word of the rest": [() => ({ items: [CUSTOMER] }), "contract_drift"],
};

const page = (next_cursor: string | null): object => ({ items: [CUSTOMER], next_cursor });

export async function wholeLists({ demo, config }: Stage): Promise<string> {
  const tool = await listTool(demo.ready.api);
  const said: string[] = [];
  for (const [what, [api, expected]] of Object.entries(APIS)) {
    const got = await withApi(api, {}, (origin) => readAll(config, tool, origin));
    must(got === expected, `${what} came to ${got}, not ${expected}`);
    said.push(`${what}: ${got}`);
  }
  return said.join("; ");
}

export async function endsAnnounced({ demo, config }: Stage): Promise<string> {
  const tool = await listTool(demo.ready.api);
  const folder = mkdtempSync(join(tmpdir(), "doorless-prove-"));
  try {
    const notices = new Notices(join(folder, NOTICES_FILE), systemClock);
    const headers = { deprecation: "@1688169599", sunset: "Sun, 31 Dec 2006 23:59:59 GMT" };
    for (let i = 0; i < 3; i++) {
      const got = await withApi(
        () => page(null),
        headers,
        (origin) =>
          readAll(config, tool, origin, (said) =>
            notices.heard(tool.name, operationOf(tool), said),
          ),
      );
      must(got === "1 items", `the answer itself came to ${got}`);
    }
    // As after a restart.
    const found = findingsIn(readNotices(join(folder, NOTICES_FILE)), tool, systemClock.now());
    const said = found.map(({ severity, rule }) => `${severity} ${rule}`).join(", ");
    must(said === "break api-sunset-passed, warn endpoint-deprecated", `found ${said}`);
    const stops = stopping({ ...noticed(tool, found, undefined, NOTHING_APPROVED) });
    must(stops.length === 1, "it stops nothing");
    return `heard in three answers, told once, kept: ${said}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const NOTHING_APPROVED = { file: "", exists: false, tools: {} };

async function listTool(api: string): Promise<DeclarativeTool> {
  const { drafts } = await everything(`${api}/openapi.json`);
  const draft = drafts.find(({ operation }) => operation === OPERATION);
  must(draft !== undefined, `${OPERATION} has no draft`);
  const file = toolFileSchema.parse({ ...draft?.file, status: "approved" });
  const tool = buildTool(file, CONNECTOR, (pointer) => must(false, `${pointer} of the draft`));
  must(tool.pagination !== undefined, "the draft of a list does not ask for all of it");
  return tool;
}

async function withApi(
  api: Api,
  headers: Readonly<Record<string, string>>,
  use: (origin: string) => Promise<string>,
): Promise<string> {
  const server = createServer((req, res) => {
    const { searchParams } = new URL(req.url ?? "", "http://api.test");
    res.writeHead(200, headers).end(JSON.stringify(api(searchParams.get("cursor"))));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function readAll(
  config: Stage["config"],
  tool: DeclarativeTool,
  origin: string,
  heard: (headers: Headers) => void = () => undefined,
): Promise<string> {
  const delegation = { kind: "exchange", resource: origin } as const;
  const own = { ...config.connectors["crm"], origin, delegation, allow_private_addresses: true };
  const connectors = { [tool.connector.name]: own } as Stage["config"]["connectors"];
  const rooms = { clock: systemClock, config: { ...config, connectors } };
  const broker = createBroker(rooms.config);
  const progress = { attempts: [], steps: {}, bytes: 0 };
  const ask = (request: BrokerRequest, bounds: Bounds) =>
    broker.dispatch(
      {
        ...bounds,
        connector: tool.connector,
        request,
        call_id: "prove",
        traceparent: "",
        token: new Secret("nobody's"),
        idempotency_key: undefined,
        effect_if_sent: "none",
        signals: [],
        moved: (bytes) => (progress.bytes += bytes),
        heard,
      },
      () => undefined,
    );
  try {
    const first = buildRequest(tool, {});
    if (!first.ok) return first.refusal.code;
    const again = (): Promise<undefined> => Promise.resolve(undefined);
    const answer = await readPages(rooms, progress, tool, first.value, { ask, again });
    if (!answer.ok) return answer.refusal.code;
    const { value } = shapeOf(tool, answer.value);
    return `${(value["items"] as unknown[]).length} items`;
  } finally {
    await broker.close();
  }
}
