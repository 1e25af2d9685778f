// `doctor`: a house in order, and each thing that can be wrong with one, found with its mend.
import { chmodSync, cpSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect } from "vitest";
import { lookAtCore } from "../../src/cli/doctor-core.ts";
import { lookAtFiles } from "../../src/cli/doctor-files.ts";
import { lookAtPeers } from "../../src/cli/doctor-peers.ts";
import type { Finding } from "../../src/cli/finding.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/load.ts";
import { approveTools } from "../setup/approved.ts";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { discovery, json } from "../setup/hostile-provider.ts";
import type { Claims } from "../setup/hostile-provider.ts";
import { verifies } from "../verifies.ts";
import { doorless, jsonLines } from "./command.ts";

const env = { SECRET: "a-client-secret-that-nobody-may-see" };
const MARK = "what-the-transmitter-shows";

let boundary: Boundary;
let folder: string;
/** What is beside the configuration that runs: the same house, with no door that cannot work. */
let tidy: Claims;

beforeAll(async () => {
  boundary = await openBoundary({
    issuer: { liveness: { source: "introspection", bound_ms: 10_000 } },
    environment: env,
  });
  folder = dirname(boundary.data);
  cpSync(join(folder, "tools", "shop"), join(folder, "tidy", "shop"), { recursive: true });
  await approveTools(join(folder, "tidy"));
  writeFileSync(join(folder, "mark"), MARK, { mode: 0o600 });
  const whole = JSON.parse(readFileSync(join(folder, "mcp.config.json"), "utf8")) as Claims;
  const issuer = (whole["issuers"] as Claims)["own"] as Claims;
  const events = { shared_signals: { audience: "us", authorization: "file:mark" } };
  const { shop } = whole["connectors"] as Claims;
  const desk = { title: "Desk", purpose: "x", tools: { item_get: {} } };
  tidy = {
    ...whole,
    tools: "tidy",
    issuers: { own: { ...issuer, events } },
    connectors: { shop },
    agents: { desk },
    roles: { staff: { desk: "all" } },
  };
});

beforeEach(async () => {
  boundary.provider.behave();
  // As any provider answers to an empty question.
  boundary.provider.on.token = (_req, res) => json(res, 400, { error: "invalid_request" });
  await boundary.provider.up();
  await boundary.api.behave();
});

afterAll(() => boundary.close());

/** The tidy house, with changes to its one issuer. */
function save(changes: Claims = {}, issuer: Claims = {}): string {
  const { own } = tidy["issuers"] as { own: Claims };
  const file = join(folder, "tidy.config.json");
  writeFileSync(
    file,
    JSON.stringify({ ...tidy, issuers: { own: { ...own, ...issuer } }, ...changes }),
  );
  return file;
}

const load = (file: string): Config => loadConfig(file, env);

const wrongIn = (found: readonly Finding[]) => found.filter(({ state }) => state === "wrong");

verifies("cli.doctor", "a house in order has nothing wrong, and exits with 0", async () => {
  // The example of a whole answer: of the very configuration that runs.
  const own = await doorless(["doctor", "--config", save(), "--json"], { env });
  const [said] = jsonLines<{ ok: boolean; liveness: unknown; findings: Finding[] }>(own);
  const { findings = [] } = said ?? {};
  expect(wrongIn(findings).filter(({ about }) => about !== "running")).toEqual([]);
  expect(said?.liveness).toEqual({ own: { source: "introspection", bound_ms: 10_000 } });
  const about = new Set(findings.map((one) => one.about));
  expect([...about]).toEqual([
    "configuration",
    "isolation",
    "tools",
    "data folder",
    "keys",
    "issuer own",
    "connector shop",
    "running",
  ]);
  // The one that runs was started with another file.
  expect(own.code).toBe(1);
  expect(findings.at(-1)?.mend).toBe("restart it");
  const elsewhere = save({ data: "not-yet" });
  const people = await doorless(["doctor", "--config", elsewhere], { env });
  expect(people).toMatchObject({ code: 0, stderr: "" });
  expect(people.stdout).toMatch(/^ok {5}configuration {3}\S+\n/);
  expect(people.stdout).toMatch(/revocation: asked by introspection, at most 10000 ms/);
  expect(people.stdout).toMatch(/note {3}running .*no doorless runs.*\n +mend: doorless start/);
  expect(people.stdout).toMatch(/\nnothing is wrong\n$/);
  expect(own.stdout + people.stdout).not.toMatch(new RegExp(`${env.SECRET}|${MARK}`));
});

verifies(["cli.doctor", "cli.exit-codes"], "mistakes of the file are found, with 2", async () => {
  const file = save({ roles: { staff: { nowhere: "all" } } }, { colour: "red" });
  const ran = await doorless(["doctor", "--config", file, "--offline"], { env });
  expect(ran).toMatchObject({ code: 2, stderr: "" });
  expect(ran.stdout).toMatch(/^wrong +configuration +\S+:1 \/issuers\/own\/colour: unknown key\n/);
  expect(ran.stdout).toMatch(/\n +mend: remove it/);
  // A secret that is not set here hides nothing else.
  const without = await doorless(["doctor", "--config", save(), "--offline"]);
  expect(without.code).toBe(2);
  expect(without.stdout).toMatch(
    /\/issuers\/own\/client\/client_secret: the secret cannot be read/,
  );
  expect(without.stdout).toMatch(/\nok +tools +6 in /);
  const none = await doorless(["doctor", "--config", join(folder, "none.json")]);
  expect(none.code).toBe(2);
  expect(none.stdout).toMatch(/mend: name one that is there/);
});

verifies("cli.doctor", "files that others may use are found, each with its mend", async () => {
  const key = join(boundary.data, "keys", "ledger-digest.key");
  const mark = join(folder, "mark");
  chmodSync(key, 0o644);
  chmodSync(mark, 0o640);
  chmodSync(join(boundary.data, "ledger"), 0o755);
  try {
    const found = wrongIn(await lookAtFiles(load(save())));
    expect(found.map(({ mend = "" }) => mend).toSorted((a, b) => a.localeCompare(b))).toEqual([
      `chmod 600 ${key}`,
      `chmod 600 ${mark}`,
      `chmod 700 ${join(boundary.data, "ledger")}`,
    ]);
  } finally {
    chmodSync(key, 0o600);
    chmodSync(mark, 0o600);
    chmodSync(join(boundary.data, "ledger"), 0o700);
  }
  expect(wrongIn(await lookAtFiles(load(save())))).toEqual([]);
});

verifies(
  ["cli.doctor", "tools.lock"],
  "a tool that nobody approved as it is is found",
  async () => {
    const file = join(folder, "tidy", "shop", "item_get.tool.yaml");
    const before = readFileSync(file, "utf8");
    writeFileSync(file, before.replace('"title":"item_get"', '"title":"To my friend"'));
    try {
      const config = load(save());
      const [found, ...more] = wrongIn(await lookAtFiles(config));
      expect(more).toEqual([]);
      expect(found).toMatchObject({
        about: "tools",
        mend: expect.stringContaining("tools approve"),
      });
      expect(found?.said).toMatch(/^item_get is in no list: it is not what test approved at /);
      await approveTools(config.tools_dir);
      const approved = await lookAtFiles(config);
      expect(wrongIn(approved)).toEqual([]);
      expect(approved).toContainEqual(
        expect.objectContaining({ state: "note", said: 'item_get/title says "my"' }),
      );
    } finally {
      writeFileSync(file, before);
      await approveTools(join(folder, "tidy"));
    }
  },
);

verifies("cli.doctor", "a tool that does not load, and a full disk, are found", async () => {
  const bad = join(folder, "tidy", "shop", "item_bad.tool.yaml");
  cpSync(join(folder, "tidy", "shop", "item_get.tool.yaml"), bad);
  writeFileSync(
    bad,
    readFileSync(bad, "utf8").replace('"item_get"', '"item_bad"').replace("GET", "FETCH"),
  );
  try {
    const config = load(save());
    const ledger = { ...config.ledger, disk_free_bytes_min: 2 ** 60 };
    const found = wrongIn(await lookAtFiles({ ...config, ledger }));
    expect(found.map(({ about }) => about)).toEqual(["tools", "data folder"]);
    expect(found[0]?.said).toContain("item_bad.tool.yaml");
    expect(found[1]?.said).toMatch(/\d+ MiB free, and calls are refused below \d+ MiB/);
    const anchors = [{ kind: "file", path: join(folder, "no-mount", "checkpoints") }];
    const [, anchor] = wrongIn(await lookAtFiles(load(save({ ledger: { anchors } }))));
    expect(anchor).toMatchObject({ about: "anchor", mend: expect.stringContaining("folder") });
    expect(anchor?.said).toBe(`/ledger/anchors/0/path: ${join(folder, "no-mount")} is not there`);
    // Beside the configuration, wherever the verb is typed.
    const beside = { anchors: [{ kind: "file", path: "tools/checkpoints" }] };
    const abouts = wrongIn(await lookAtFiles(load(save({ ledger: beside })))).map(
      (one) => one.about,
    );
    expect(abouts).toEqual(["tools"]);
  } finally {
    cpSync(join(folder, "tools", "shop", "item_get.tool.yaml"), bad);
  }
});

const PEERS: Readonly<Record<string, [arrange: () => unknown, about: RegExp, says: RegExp]>> = {
  "a provider that is down": [() => boundary.provider.down(), /^issuer own$/, /ECONNREFUSED/],
  "a provider of another name": [
    () =>
      (boundary.provider.on.discovery = (_req, res) =>
        json(res, 200, { issuer: "https://x.test" })),
    /^issuer own$/,
    /issuer/,
  ],
  "keys that cannot be had": [
    () => (boundary.provider.on.jwks = (_req, res) => json(res, 500, {})),
    /^issuer own$/,
    /its keys: .*\/jwks answered 500/,
  ],
  "no keys": [() => (boundary.provider.jwks = { keys: [] }), /^issuer own$/, /lists none/],
  "a token endpoint that fails": [
    () => (boundary.provider.on.token = (_req, res) => json(res, 502, {})),
    /^issuer own$/,
    /its token endpoint answered 502/,
  ],
  "no introspection where it is to be asked": [
    () =>
      (boundary.provider.on.discovery = (_req, res) =>
        json(res, 200, { ...discovery(boundary.provider), introspection_endpoint: undefined })),
    /^issuer own$/,
    /asked by introspection, and offers none/,
  ],
  "a clock that is off": [
    () =>
      (boundary.provider.on.jwks = (_req, res) => {
        res.setHeader("date", new Date(Date.now() + 90_000).toUTCString());
        json(res, 200, boundary.provider.jwks);
      }),
    /^issuer own$/,
    /clock is (?:89|90|91) s behind it/,
  ],
  "an API that is down": [() => boundary.api.down(), /^connector shop$/, /ECONNREFUSED/],
};

for (const [what, [arrange, about, says]] of Object.entries(PEERS)) {
  verifies("cli.doctor", `${what} is found, and how to mend it`, async () => {
    await arrange();
    const found = wrongIn(await lookAtPeers(load(save())));
    expect(found).toHaveLength(1);
    expect(found[0]?.about).toMatch(about);
    expect(found[0]?.said).toMatch(says);
    expect(found[0]?.mend).toMatch(/\S/);
  });
}

verifies("cli.doctor", "what the provider does not announce is worth a note", async () => {
  boundary.provider.on.discovery = (_req, res) =>
    json(res, 200, { ...discovery(boundary.provider), grant_types_supported: undefined });
  const events = { backchannel_logout: { client_id: "doorless" } };
  const found = await lookAtPeers(load(save({}, { events })));
  const notes = found.filter(({ state }) => state === "note").map(({ said }) => said);
  expect(notes).toEqual([
    expect.stringMatching(/no grant by which tokens are exchanged/),
    expect.stringMatching(/no back-channel logout/),
  ]);
  const nobody = await lookAtPeers(load(save({}, { client: undefined, liveness: undefined })));
  const [note] = nobody.filter(({ state }) => state === "note");
  expect(note?.said).toMatch(/reach none of shop: doorless is no client of it/);
});

verifies("cli.doctor", "an address that is refused says what would allow it", async () => {
  const config = load(join(folder, "mcp.config.json"));
  const mends = wrongIn(await lookAtPeers(config)).map(({ about, mend }) => [about, mend]);
  const allow = (name: string) =>
    `if it is meant, /connectors/${name}: "allow_private_addresses": true`;
  expect(Object.fromEntries(mends)).toMatchObject({
    "connector literal": allow("literal"),
    "connector named": allow("named"),
  });
  // The cloud's metadata address is never to be allowed, and nobody is told that it could be.
  expect(Object.fromEntries(mends)["connector metadata"]).not.toContain("allow_private");
});

verifies("cli.doctor", "an issuer whose address is refused says so, too", async () => {
  const { own } = tidy["issuers"] as { own: Claims };
  const issuers = {
    own,
    away: { ...own, issuer: "https://10.9.8.7", allow_private_addresses: false },
  };
  const [found] = wrongIn(await lookAtPeers(load(save({ issuers }, {})))).slice(0, 1);
  expect(found).toMatchObject({
    about: "issuer away",
    mend: 'if it is meant, /issuers/away: "allow_private_addresses": true',
  });
});

verifies("cli.doctor", "nothing that it sends holds a secret, or asks for a token", async () => {
  boundary.provider.forms.length = 0;
  const config = load(save());
  await lookAtPeers(config);
  expect(boundary.provider.forms.map(String)).toEqual([""]);
  // The API is connected to, and asked nothing.
  expect(boundary.api.seen).toEqual([]);
});

verifies("cli.doctor", "the one that runs is asked how it is, and records that", async () => {
  const running = load(join(folder, "mcp.config.json"));
  expect(await lookAtCore(running)).toMatchObject({ state: "ok", about: "running" });
  const asked = boundary.ledger().findLast(({ event }) => event === "operator");
  expect(asked).toMatchObject({ detail: { verb: "doctor", verified_by_issuer: false } });
});
