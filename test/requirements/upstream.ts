// Promises about MCP servers behind doorless.
import type { Requirement } from "./requirement.ts";

export const upstream = {
  "upstream.import": {
    source: "I7 build 2",
    behavior: "chosen tools of an MCP server become drafts, each pinned as the server describes it",
  },
  "upstream.surface": {
    source: "I7 must show",
    behavior: "two users have different tools of the reference server `everything`",
  },
  "upstream.as-the-user": {
    source: "I7 build 2",
    behavior:
      "each session has its own session of the server, in which only its user's token is ever sent",
  },
  "upstream.session": {
    source: "I7 build 2",
    behavior: "the session of a server ends with ours, and one that the server forgot is made anew",
  },
  "upstream.answer": {
    source: "I7 build 2",
    behavior:
      "structured content is projected, text is one field; anything else is refused, not cut out",
  },
  "upstream.hostile": {
    source: "I7 bad input",
    behavior:
      "a server that asks, redirects, echoes the token, never ends or talks nonsense ends the call",
  },
  "upstream.eras": {
    source: "I7 build 2",
    behavior: "servers of 2025-03-26 to 2026-07-28 are spoken to as they speak",
  },
  "upstream.discovery": {
    source: "I7 build 2",
    behavior:
      "a server that wants a token says whose, and the import signs in there as the person it is",
  },
  "upstream.drift": {
    source: "I7 build 4, must show",
    behavior:
      "a tool whose definition changed at its server stops until somebody approves; others go on",
  },
} satisfies Record<string, Requirement>;
