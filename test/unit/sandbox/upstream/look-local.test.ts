// What is said of a server that does not start: its own words, and what it probably lacks.
import { describe, expect } from "vitest";
import { whyNotStarted } from "../../../../src/sandbox/upstream/look-local.ts";
import { verifies } from "../../../verifies.ts";

const ENDED = "the MCP server did not start: the MCP server ended: exit code 1";
const TRACE = "    at Module._load (node:internal/modules/cjs/loader:1)\n\nNode.js v26.10.0\n";

/** What such servers really write, shortened. */
const SAID: Readonly<Record<string, readonly [string, RegExp, RegExp]>> = {
  "a key": [
    "Starting…\nError: BRAVE_API_KEY environment variable is required\n",
    /it said: Error: BRAVE_API_KEY environment variable is required$/,
    /a credential or the environment/,
  ],
  "the network": [
    `node:internal/process:1\n  throw e;\n  ^\n\nTypeError: fetch failed\n${TRACE}`,
    /it said: TypeError: fetch failed$/,
    /the network.*by its URL/,
  ],
  "a port to listen on": [
    `Error: listen EPERM: operation not permitted 0.0.0.0:3001\n${TRACE}`,
    /it said: Error: listen EPERM/,
    /the network/,
  ],
  "a folder of the user's": [
    "Error accessing directory /notes: Error: ENOENT: no such file or directory, stat '/notes'\n",
    /it said: Error accessing directory/,
    /files, and there are none/,
  ],
  "another program": [
    `Error: spawn git EPERM\n${TRACE}{\n  errno: -1,\n  code: 'EPERM'\n}\n`,
    /it said: Error: spawn git EPERM$/,
    /start a program/,
  ],
  "a package that it does not name": [
    `Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'zod' imported from /w/index.js\n${TRACE}`,
    /it said: Error \[ERR_MODULE_NOT_FOUND\]/,
    /a file or a package/,
  ],
  "an add-on": [
    `Error [ERR_DLOPEN_DISABLED]: Cannot load native addon because loading addons is disabled.\n`,
    /it said: Error \[ERR_DLOPEN_DISABLED\]/,
    /native add-on/,
  ],
  "an argument": ["Usage: server <folder>\n", /it said: Usage: server <folder>$/, /no environment/],
};

describe("a server that does not start", () => {
  for (const [what, [said, words, mend]] of Object.entries(SAID)) {
    verifies("servers.start", `for want of ${what} is told apart`, () => {
      const why = whyNotStarted(ENDED, said);
      expect(why.message).toMatch(words);
      expect(why.message).toContain("exit code 1");
      expect(why.mend).toMatch(mend);
    });
  }

  verifies("servers.start", "and says nothing is told so all the same", () => {
    expect(whyNotStarted(ENDED, "").message).toBe(ENDED);
  });

  verifies("servers.start", "because it prints what is no MCP is told that", () => {
    const said = "The MCP server's answer is none: a line that is not JSON.";
    expect(whyNotStarted(said, "").mend).toMatch(/standard output/);
  });

  verifies(
    "servers.start",
    "is quoted with no more than a line of a few hundred characters",
    () => {
      const why = whyNotStarted(ENDED, `Error: ${"x".repeat(10_000)}\n`);
      expect(why.message.length).toBeLessThan(500);
    },
  );
});
