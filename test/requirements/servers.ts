// Promises about local MCP servers, which run in the sandbox.
import type { Requirement } from "./requirement.ts";

export const servers = {
  "servers.program": {
    source: "I7 build 2",
    behavior: "a command is a script for Node that is here; another is refused, with the reason",
  },
  "servers.digest": {
    source: "I7 build 2",
    behavior: "what runs is what was digested: the server's package, what it needs, nothing else",
  },
  "servers.protocol": {
    source: "I7 build 2",
    behavior: "what a server writes is bounded and judged, and what it asks for is refused",
  },
  "servers.effect": {
    source: "I7 build 2; DESIGN 4",
    behavior: "a server that ends in a call fails it, and whether it was sent is told right",
  },
  "servers.session": {
    source: "I7 build 2",
    behavior: "a server process is one session's, bounded per user, and ends with its session",
  },
  "servers.import": {
    source: "I7 build 2; INTERFACE The command",
    behavior: "tools import mcp -- COMMAND drafts a local server's tools, which run in the jail",
  },
  "servers.start": {
    source: "I7 build 2",
    behavior: "of a server that does not start, its last words are shown, and what it may lack",
  },
  "servers.jail": {
    source: "I7 build 2",
    behavior: "a local MCP server gets at no file, network, environment or process but its own",
  },
} satisfies Record<string, Requirement>;
