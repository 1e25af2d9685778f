// A refused call can send its user to a page: as URL-mode elicitation where the client has it, in
// the way of its era, else as words in the error, which every client shows. A client that the
// operator trusts to ask puts the question of an approval to its user itself, as a form.
// @see [MCP 2026-07-28, client/elicitation](https://modelcontextprotocol.io/specification)
import { randomUUID } from "node:crypto";
import {
  CLIENT_CAPABILITIES_META_KEY,
  inputRequired,
  UrlElicitationRequiredError,
} from "@modelcontextprotocol/server";
import type { InputRequiredResult, McpServer, ServerContext } from "@modelcontextprotocol/server";
import { z } from "zod";
import type { CallRequest } from "../gate/call.ts";
import type { ToolError } from "../kernel/errors.ts";

const PAGE = "page";
const FORM = "approve";

/** Where the user can mend this, and what she is told before she goes there. */
export interface Errand {
  readonly url: string;
  readonly message: string;
  /** The account that she connects there. */
  readonly connector?: string;
  /** The question that she answers there. */
  readonly approval?: string;
}

export interface Elicitation {
  readonly mcp: McpServer;
  readonly context: ServerContext;
  /** Calls `tell` when the user has done it. */
  readonly whenDone: (errand: Errand, tell: () => void) => void;
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
  if (errand === undefined || capabilitiesOf(mcp, context)?.url === undefined) return undefined;
  // Asked once: a client that comes back without it done gets the error, and no loop.
  if (context.mcpReq.inputResponses !== undefined) return undefined;
  const { url, message } = errand;
  if (isModern(context)) {
    return inputRequired({ inputRequests: { [PAGE]: inputRequired.elicitUrl({ url, message }) } });
  }
  const elicitationId = randomUUID();
  const tell = mcp.server.createElicitationCompletionNotifier(elicitationId);
  whenDone(errand, () => void quietly(tell));
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

/** What a user said, and to which question. */
type Said = NonNullable<CallRequest["said"]>;

/** The question of an approval as a form, for a client that may ask and can; else nothing. */
export function formOf(
  error: ToolError,
  mcp: McpServer,
  context: ServerContext,
  textOf: (approval: string) => string | undefined,
): Form | undefined {
  const { approval } = errandIn(error) ?? {};
  const has = capabilitiesOf(mcp, context);
  // Before there were modes, whoever had elicitation had forms.
  const hasForms = has !== undefined && (has.form !== undefined || has.url === undefined);
  if (approval === undefined || !hasForms) return undefined;
  const message = textOf(approval);
  if (message === undefined || context.mcpReq.inputResponses !== undefined) return undefined;
  return { approval, params: { mode: "form", message, requestedSchema: YES } };
}

interface Form {
  readonly approval: string;
  readonly params: {
    readonly mode: "form";
    readonly message: string;
    readonly requestedSchema: typeof YES;
  };
}

const YES = {
  type: "object" as const,
  properties: {
    approve: { type: "boolean" as const, title: "Yes, do it once, exactly as it stands here" },
  },
  required: ["approve"],
};

/** 2026-07-28: the call ends with the question, and is made again with its answer. */
export function askWithResult({ approval, params }: Form): InputRequiredResult {
  const inputRequests = { [FORM]: inputRequired.elicit(params) };
  return inputRequired({ inputRequests, requestState: approval });
}

/** Before: the question goes out beside the call, which is then made again here. */
export async function askBeside(
  { approval, params }: Form,
  { mcpReq }: ServerContext,
  timeout: number,
): Promise<Said | undefined> {
  try {
    const request = { method: "elicitation/create" as const, params: { ...params } };
    return said(await mcpReq.send(request, { timeout, signal: mcpReq.signal }), approval);
  } catch {
    // Nobody answered: the link still works.
    return undefined;
  }
}

/** What the user said, by a client that was asked with this call. */
export function saidIn({ mcpReq }: ServerContext): Said | undefined {
  const approval = mcpReq.requestState();
  return typeof approval === "string" ? said(mcpReq.inputResponses?.[FORM], approval) : undefined;
}

const answerSchema = z.discriminatedUnion("action", [
  z.object({ action: z.literal("accept"), content: z.object({ approve: z.boolean() }) }),
  z.object({ action: z.literal("decline") }),
  z.object({ action: z.literal("cancel") }),
]);

// Whoever closes the question has not answered it.
function said(answer: unknown, approval: string): Said | undefined {
  const parsed = answerSchema.safeParse(answer);
  if (!parsed.success || parsed.data.action === "cancel") return undefined;
  const isYes = parsed.data.action === "accept" && parsed.data.content.approve;
  return { word: isYes ? "yes" : "no", approval };
}

interface Capabilities {
  readonly elicitation?: { readonly url?: unknown; readonly form?: unknown } | undefined;
}

function capabilitiesOf(mcp: McpServer, context: ServerContext) {
  const envelope = context.mcpReq.envelope as Record<string, Capabilities> | undefined;
  const said_now = envelope?.[CLIENT_CAPABILITIES_META_KEY];
  const capabilities = envelope === undefined ? mcp.server.getClientCapabilities() : said_now;
  return capabilities?.elicitation;
}

export function isModern(context: ServerContext): boolean {
  return context.mcpReq.envelope !== undefined;
}

function errandIn({ code, details }: ToolError): Errand | undefined {
  const { url, connector, approval } = details ?? {};
  if (typeof url !== "string") return undefined;
  if (code === "connection_required" && typeof connector === "string") {
    const message = `Connect your own ${connector} account, so that this call can run as you.`;
    return { url, message, connector };
  }
  if (code === "confirmation_required" && typeof approval === "string") {
    return {
      url,
      message: "Read what your agent asks to do in your name, and say yes or no.",
      approval,
    };
  }
  return undefined;
}
