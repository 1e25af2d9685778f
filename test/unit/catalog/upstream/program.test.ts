// What a command of a local MCP server names: which are taken, what is looked at, what is not.
import { chmodSync, mkdirSync, renameSync, symlinkSync, truncateSync } from "node:fs";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect } from "vitest";
import {
  NoServerProgram,
  readProgram,
  serverProgram,
} from "../../../../src/catalog/upstream/program.ts";
import { testFolder } from "../../../setup/minimal.ts";
import { verifies } from "../../../verifies.ts";

type Files = Readonly<Record<string, string>>;

const manifest = (more: object = {}): string => JSON.stringify({ name: "x", ...more });

/** A server that depends on `a`, which depends on a `b` of its own; `c` is nobody's. */
const INSTALLED: Files = {
  "node_modules/server/package.json": manifest({ dependencies: { a: "1" } }),
  "node_modules/server/dist/index.js": "import 'a';",
  "node_modules/server/.env": "KEY=secret",
  "node_modules/server/index.d.ts": "export {};",
  "node_modules/a/package.json": manifest({
    dependencies: { b: "1" },
    optionalDependencies: { nowhere: "1" },
    peerDependencies: { "@s/p": "1" },
  }),
  "node_modules/a/node_modules/b/package.json": manifest(),
  "node_modules/@s/p/package.json": manifest(),
  "node_modules/c/package.json": manifest(),
  "mcp.config.json": "{}",
};
const COMMAND = ["node", "node_modules/server/dist/index.js", "stdio"];

function folderOf(files: Files = INSTALLED): string {
  const folder = testFolder();
  for (const [path, text] of Object.entries(files)) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return folder;
}

const KEPT = (folder: string): string[] =>
  ["mcp.config.json", ".doorless"].map((one) => join(folder, one));

function programIn(folder: string, command: readonly string[] = COMMAND) {
  return serverProgram(command, folder, KEPT(folder));
}

function entriesOf(folder: string, command?: readonly string[]) {
  const paths: string[] = [];
  const digest = readProgram(programIn(folder, command), (entry) =>
    paths.push("to" in entry ? `${entry.path} -> ${entry.to}` : entry.path),
  );
  return { paths, digest };
}

/** Why it is refused, with its mend. */
function refusalOf(folder: string, command: readonly string[]): string {
  try {
    readProgram(programIn(folder, command));
  } catch (error) {
    expect(error).toBeInstanceOf(NoServerProgram);
    return `${(error as Error).message}; ${(error as NoServerProgram).mend}`;
  }
  return "it is taken";
}

describe("a command", () => {
  verifies("servers.program", "is a script, and the words after it", () => {
    const folder = folderOf();
    const program = programIn(folder);
    expect(program.script).toBe(join(folder, "node_modules/server/dist/index.js"));
    expect(program.args).toEqual(["stdio"]);
    expect(programIn(folder, ["/usr/bin/node", ...COMMAND.slice(1)])).toEqual(program);
  });

  verifies("servers.program", "may be the link that npm puts into node_modules/.bin", () => {
    const folder = folderOf({ ...INSTALLED, "node_modules/.bin/x": "" });
    renameSync(join(folder, "node_modules/.bin/x"), join(folder, "gone"));
    symlinkSync("../server/dist/index.js", join(folder, "node_modules/.bin/server"));
    chmodSync(join(folder, "node_modules/server/dist/index.js"), 0o755);
    expect(programIn(folder, ["node_modules/.bin/server", "stdio"])).toEqual(programIn(folder));
  });

  const REFUSED: Readonly<Record<string, readonly [readonly string[], RegExp]>> = {
    "npx, which downloads": [
      ["npx", "-y", "server"],
      /npx fetches what it runs.*npm install --save/,
    ],
    "uvx, which downloads": [["uvx", "server"], /uvx fetches/],
    "npm exec": [["npm", "exec", "server"], /npm fetches/],
    "a shell": [["sh", "-c", "node x.js"], /sh runs other programs/],
    "a shell by its path": [["/bin/bash", "x.sh"], /bash runs other programs/],
    "env, to set what is not there": [["env", "KEY=x", ...COMMAND], /env runs other programs/],
    "a container": [["docker", "run", "mcp/server"], /docker needs its daemon/],
    "an option of Node's": [["node", "--import", "./x.js", "y.js"], /the option --import.*first/],
    "Node alone": [["node"], /names no script/],
    "a script that is not there": [["node", "nowhere.js"], /nowhere.js: there is no such file/],
    "a folder": [["node", "node_modules"], /is no file/],
    "a program that is not for Node": [["python3", "x.py"], /no such file/],
    "a file that is not for Node": [["node", "mcp.config.json"], /is no program for Node/],
    "a word that no program gets": [["node", "x.js\0y"], /character that no word may have/],
    "more words than anybody writes": [
      ["node", "x.js", ...Array<string>(70).fill("y")],
      /too long/,
    ],
  };
  for (const [what, [command, says]] of Object.entries(REFUSED)) {
    verifies("servers.program", `is not ${what}, and says what it may be`, () => {
      expect(refusalOf(folderOf(), command)).toMatch(says);
    });
  }

  verifies("servers.program", "whose file no memory would hold is refused by its size", () => {
    const folder = folderOf({ ...INSTALLED, "node_modules/server/data.bin": "", "x.run": "" });
    for (const file of ["node_modules/server/data.bin", "x.run"]) {
      truncateSync(join(folder, file), 3 * 2 ** 30);
    }
    expect(refusalOf(folder, COMMAND)).toMatch(/more than 268435456 bytes/);
    expect(refusalOf(folder, ["./x.run"])).toMatch(/more than 268435456 bytes/);
  });

  verifies("servers.program", "whose package is not all there is refused", () => {
    const folder = folderOf();
    renameSync(join(folder, "node_modules/a"), join(folder, "node_modules/z"));
    expect(refusalOf(folder, COMMAND)).toMatch(
      /the package a, which server depends on.*npm install/,
    );
  });

  const NAMES = ["../../etc", "..", "a/../../b", "/etc", "@s/../x"];
  for (const name of NAMES) {
    verifies("servers.digest", `cannot have a dependency called ${name}`, () => {
      const files = {
        ...INSTALLED,
        "node_modules/server/package.json": manifest({ dependencies: { [name]: "1" } }),
      };
      expect(refusalOf(folderOf(files), COMMAND)).toMatch(/is no package.json/);
    });
  }

  verifies("servers.digest", "gets none of a folder that holds what no server may read", () => {
    const files = { ...INSTALLED, "package.json": manifest(), "server.js": "1", "srv/x.js": "1" };
    expect(refusalOf(folderOf(files), ["node", "server.js"])).toMatch(
      /also holds .*mcp\.config\.json.*a folder, and a package.json, of its own/,
    );
    // The nearest package is the operator's own: then it is no more than the script's folder.
    expect(entriesOf(folderOf(files), ["node", "srv/x.js"]).paths).toEqual(["x.js"]);
  });

  verifies("servers.digest", "whose dependency leads back there is refused too", () => {
    const folder = folderOf({ ...INSTALLED, "package.json": manifest() });
    renameSync(join(folder, "node_modules/a"), join(folder, "node_modules/z"));
    symlinkSync("..", join(folder, "node_modules/a"));
    expect(refusalOf(folder, COMMAND)).toMatch(/also holds .*mcp\.config\.json/);
  });
});

describe("its files", () => {
  verifies("servers.digest", "are its package's and those that this needs, and no others", () => {
    expect(entriesOf(folderOf()).paths).toEqual([
      "node_modules/@s/p/package.json",
      "node_modules/a/node_modules/b/package.json",
      "node_modules/a/package.json",
      "node_modules/server/dist/index.js",
      "node_modules/server/package.json",
    ]);
  });

  verifies("servers.digest", "are found through the links that pnpm makes", () => {
    const store = "node_modules/.pnpm";
    const folder = folderOf({
      [`${store}/server@1/node_modules/server/package.json`]: manifest({
        dependencies: { a: "1" },
      }),
      [`${store}/server@1/node_modules/server/i.js`]: "import 'a';",
      [`${store}/a@1/node_modules/a/package.json`]: manifest(),
    });
    symlinkSync("../../a@1/node_modules/a", join(folder, store, "server@1/node_modules/a"));
    symlinkSync(".pnpm/server@1/node_modules/server", join(folder, "node_modules/server"));
    expect(entriesOf(folder, ["node", "node_modules/server/i.js"]).paths).toEqual([
      "a@1/node_modules/a/package.json",
      "server@1/node_modules/server/i.js",
      "server@1/node_modules/server/package.json",
      "server@1/node_modules/a -> a@1/node_modules/a",
    ]);
  });

  verifies("servers.digest", "have one digest, wherever they lie", () => {
    expect(entriesOf(folderOf()).digest).toBe(entriesOf(folderOf()).digest);
    expect(entriesOf(folderOf()).digest).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  const CHANGES: Readonly<Record<string, Files>> = {
    "another word in the script": { "node_modules/server/dist/index.js": "import 'a'; " },
    "another file": { "node_modules/server/dist/more.js": "" },
    "another dependency's code": {
      "node_modules/a/node_modules/b/package.json": manifest({ v: 1 }),
    },
    "a nearer dependency": { "node_modules/server/node_modules/a/package.json": manifest() },
  };
  for (const [what, change] of Object.entries(CHANGES)) {
    verifies("servers.digest", `are others with ${what}`, () => {
      const changed = entriesOf(folderOf({ ...INSTALLED, ...change })).digest;
      expect(changed).not.toBe(entriesOf(folderOf()).digest);
    });
  }

  const SAME: Readonly<Record<string, Files>> = {
    "a package that it does not need": { "node_modules/c/package.json": manifest({ v: 1 }) },
    "a file that is hidden": { "node_modules/server/.env": "KEY=other" },
    "declarations of types": { "node_modules/server/index.d.ts": "export type A = 1;" },
  };
  for (const [what, change] of Object.entries(SAME)) {
    verifies("servers.digest", `are the same with another ${what}`, () => {
      const changed = entriesOf(folderOf({ ...INSTALLED, ...change })).digest;
      expect(changed).toBe(entriesOf(folderOf()).digest);
    });
  }

  verifies(
    "servers.digest",
    "are plain files: what a link in a package leads to is not read",
    () => {
      const folder = folderOf();
      symlinkSync("/etc/passwd", join(folder, "node_modules/server/dist/passwd"));
      expect(refusalOf(folder, COMMAND)).toMatch(/is a link, or no plain file/);
    },
  );
});
