// The server that doorless is measured beside: the same SDK with the same low-level handlers, the
// same call to the same API with undici. No authentication, no policy, no limits, no ledger, one
// token for everybody, and everything that the API says is handed on.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  createMcpHandler,
  isLegacyRequest,
  McpServer,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import { Agent, request } from "undici";
import { loadConfig } from "../../src/config/load.ts";
import { readHouseOffline } from "../../src/console/house.ts";
import { listingOf } from "../../src/policy/surface.ts";
import { join } from "node:path";
import { serveParent, tell } from "../setup/child-side.ts";
import { ROOT } from "../setup/core-config.ts";

const [api = "", names = ""] = process.argv.slice(2);
const dispatcher = new Agent({ connections: 64, pipelining: 1 });
let token = "";

// The list that doorless shows the same person, so that both write the same bytes.
const example = loadConfig(join(ROOT, "mcp.config.json"), {}, { secrets: false });
const { catalog } = await readHouseOffline(example);
const tools = names.split(",").flatMap((name) => {
  const tool = catalog.tools.get(name);
  return tool === undefined ? [] : [listingOf(tool)];
});

function createMcp(): McpServer {
  const mcp = new McpServer(
    { name: "unprotected", version: "1" },
    { capabilities: { tools: { listChanged: true } } },
  );
  mcp.server.setRequestHandler("tools/list", () => ({ tools: [...tools] as never }));
  mcp.server.setRequestHandler("tools/call", async ({ params }) => {
    const { id } = params.arguments as { id: number };
    const response = await request(`${api}/crm/deals/${id}`, {
      dispatcher,
      headers: { authorization: `Bearer ${token}`, accept: "application/json" },
    });
    const body = (await response.body.json()) as Record<string, unknown>;
    return {
      content: [{ type: "text", text: JSON.stringify(body) }],
      structuredContent: body,
      ...(response.statusCode === 200 ? {} : { isError: true }),
    };
  });
  return mcp;
}

const modern = createMcpHandler(createMcp, { legacy: "reject" });
const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>();

async function legacy(asked: Request, parsedBody: unknown): Promise<Response> {
  const id = asked.headers.get("mcp-session-id");
  const known = id === null ? undefined : sessions.get(id);
  if (known !== undefined) return known.handleRequest(asked, { parsedBody });
  const transport = new WebStandardStreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    enableJsonResponse: true,
    onsessioninitialized: (made) => void sessions.set(made, transport),
    onsessionclosed: (ended) => void sessions.delete(ended),
  });
  await createMcp().connect(transport);
  return transport.handleRequest(asked, { parsedBody });
}

async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of req as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString("utf8");
  const parsedBody = text === "" ? undefined : (JSON.parse(text) as unknown);
  const headers = new Headers(req.headers as Record<string, string>);
  const { method = "GET", url = "/" } = req;
  const asked = new Request(`http://127.0.0.1${url}`, { method, headers });
  const isOld = await isLegacyRequest(asked, parsedBody);
  const response = await (isOld ? legacy(asked, parsedBody) : modern.fetch(asked, { parsedBody }));
  res.writeHead(response.status, Object.fromEntries(response.headers));
  res.end(Buffer.from(await response.arrayBuffer()));
}

const server = createServer({ noDelay: true }, (req, res) => void answer(req, res));
await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
serveParent({
  useToken: (given) => {
    token = String(given["token"]);
  },
  stop: () => server.closeAllConnections(),
});
tell({ ready: true, port: (server.address() as AddressInfo).port });
