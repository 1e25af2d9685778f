// What the bridge reads off a message; of what it carries, it understands no more.
import type { JSONRPCMessage } from "@modelcontextprotocol/client";

const PROTOCOL_VERSION = "io.modelcontextprotocol/protocolVersion";

export type Id = string | number;
export type Request = Extract<JSONRPCMessage, { method: string; id: Id }>;
export type Answer = Exclude<JSONRPCMessage, { method: string }>;

export function isRequest(message: JSONRPCMessage): message is Request {
  return "method" in message && "id" in message;
}

/** The id of the request that a message cancels. */
export function cancelledBy(message: JSONRPCMessage): Id | undefined {
  if (!("method" in message) || message.method !== "notifications/cancelled") return undefined;
  return (message.params as { requestId?: Id } | undefined)?.requestId;
}

export function isListen(request: Request): boolean {
  return request.method === "subscriptions/listen";
}

/** Whether it is of 2026-07-28, where each request says so itself. */
export function isModern(message: JSONRPCMessage): boolean {
  if (!("method" in message)) return false;
  const meta = (message.params as { _meta?: Record<string, unknown> } | undefined)?._meta;
  return typeof meta?.[PROTOCOL_VERSION] === "string";
}
