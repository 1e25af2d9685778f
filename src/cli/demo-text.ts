// What the demo prints for a person: where to click and what to paste. No snippet holds a token.
import { join } from "node:path";
import { PACKAGE } from "./core.ts";
import { paint, table } from "./output.ts";
import type { Ready, RunningDemo } from "./demo-world.ts";

export interface Snippet {
  readonly client: string;
  readonly where: string;
  readonly text: string;
}

/** Single-quoted for a POSIX shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** One snippet per client, as each documents its configuration. */
export function snippets(ready: Ready): readonly Snippet[] {
  const url = ready.mcp["support"] ?? "";
  const doorless = `${quote(process.execPath)} ${quote(join(PACKAGE, "bin", "doorless.js"))}`;
  const data = `--data ${quote(ready.data)}`;
  const token = `$(${doorless} demo token dana support --ttl 28800 ${data})`;
  const shell = `DOORLESS_TOKEN="${token}" exec ${doorless} stdio support ${data}`;
  const desktop = { command: "/bin/sh", args: ["-c", shell] };
  const http = { type: "http", url };
  const pretty = (value: unknown): string => JSON.stringify(value, null, 2);
  return [
    {
      client: "Claude Desktop",
      where: "claude_desktop_config.json; over stdio, as Dana",
      text: pretty({ mcpServers: { "acme-support": desktop } }),
    },
    {
      client: "Claude Code",
      where: "a shell; then /mcp, and sign in as whom you like",
      text: `claude mcp add --transport http acme-support ${url}`,
    },
    {
      client: "VS Code",
      where: ".vscode/mcp.json",
      text: pretty({ servers: { "acme-support": http } }),
    },
    {
      client: "Cursor",
      where: ".cursor/mcp.json",
      text: pretty({ mcpServers: { "acme-support": { url } } }),
    },
    {
      client: "MCP Inspector",
      where: "a shell; it prints a link to sign in with",
      text:
        "MCP_AUTO_OPEN_ENABLED=true MCP_INSPECTOR_SECRET_STORE=file npx mcp-inspector --cli " +
        `${url} --transport http --method tools/list`,
    },
  ];
}

export function demoText({ ready, revocation }: Pick<RunningDemo, "ready" | "revocation">): string {
  const bold = (text: string): string => paint("bold", text);
  const agents = Object.entries(ready.mcp).map(([agent, url]) => [agent, url]);
  const people = [
    ["dana", "acme", "support", "support"],
    ["mia", "acme", "sales", "sales, research"],
    ["omar", "acme", "sales manager", "sales, research"],
    ["zoe", "globex", "support", "support"],
  ];
  return [
    bold("doorless demo: agents act as you, through the doors that are yours. The rest is wall."),
    "",
    table(["AGENT", "CONNECT TO"], agents),
    "",
    table(["SIGN IN AS", "TENANT", "ROLE", "MAY USE"], people),
    "",
    `identity provider  ${ready.issuer}/.well-known/openid-configuration`,
    `the SaaS           ${ready.api}/openapi.json`,
    `its own audit log  ${ready.api}/audit`,
    ...revocation.map((line) => `revocation at       ${line}`),
    `our audit log      node bin/doorless.js audit query --data ${quote(ready.data)}`,
    `sign in for stdio  node bin/doorless.js login --data ${quote(ready.data)}`,
    "",
    ...snippets(ready).flatMap(({ client, where, text }) => [
      `${bold(client)}  (${where})`,
      text,
      "",
    ]),
    "Ctrl+C stops everything.",
  ].join("\n");
}
