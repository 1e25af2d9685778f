// A refused call can send its user to a page: as URL-mode elicitation where the client has it, in
// the way of its era, else as words in the error, which every client shows.
// @see [MCP 2026-07-28, client/elicitation](https://modelcontextprotocol.io/specification)
import { randomUUID } from "node:crypto";
import {
  CLIENT_CAPABILITIES_META_KEY,
  inputRequired,
  UrlElicitationRequiredError,
} from "@modelcontextprotocol/server";
import type { InputRequiredResult, McpServer, ServerContext } from "@modelcontextprotocol/server";
import type { ToolError } from "../kernel/errors.ts";

const ASKED = "connect";

/** Where the user can mend this, and what she is told before she goes there. */
interface Errand {
  readonly url: string;
  readonly message: string;
  readonly connector: string;
}

export interface Elicitation {
  readonly mcp: McpServer;
  readonly context: ServerContext;
  /** Calls `tell` when the user has done it. */
  readonly whenDone: (connector: string, tell: () => void) => void;
}

/**
 * What a client with URL-mode elicitation gets instead of the error; nothing where it has no such
 * mode, or has been asked with this very call. Throws -32042 in the eras that know it.
 */
export function elicit(
  error: ToolError,
  { mcp, context, whenDone }: Elicitation,
): InputRequiredResult | undefined {
  const errand = errandIn(error);
  if (errand === undefined) return undefined;
  const { url, message, connector } = errand;
  const envelope = context.mcpReq.envelope as Record<string, Capabilities> | undefined;
  if (envelope !== undefined) {
    if (!hasUrlMode(envelope[CLIENT_CAPABILITIES_META_KEY])) return undefined;
    // Asked once: a client that comes back unconnected gets the error, and no loop.
    if (context.mcpReq.inputResponses !== undefined) return undefined;
    return inputRequired({ inputRequests: { [ASKED]: inputRequired.elicitUrl({ url, message }) } });
  }
  if (!hasUrlMode(mcp.server.getClientCapabilities())) return undefined;
  const elicitationId = randomUUID();
  const tell = mcp.server.createElicitationCompletionNotifier(elicitationId);
  whenDone(connector, () => void quietly(tell));
  throw new UrlElicitationRequiredError([{ mode: "url", elicitationId, url, message }]);
}

// A client that has gone meanwhile has nobody to tell.
async function quietly(tell: () => Promise<void>): Promise<void> {
  try {
    await tell();
  } catch {
    // Nothing hangs on it.
  }
}

interface Capabilities {
  readonly elicitation?: { readonly url?: unknown } | undefined;
}

function hasUrlMode(capabilities: Capabilities | undefined): boolean {
  return capabilities?.elicitation?.url !== undefined;
}

function errandIn({ code, details }: ToolError): Errand | undefined {
  if (code !== "connection_required") return undefined;
  const { url, connector } = details ?? {};
  if (typeof url !== "string" || typeof connector !== "string") return undefined;
  const message = `Connect your own ${connector} account, so that this call can run as you.`;
  return { url, message, connector };
}
