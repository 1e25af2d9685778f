// What every anchor promises, over real files and real sockets on this machine.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { appendFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import type { IncomingMessage, RequestListener } from "node:http";
import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../src/kernel/clock.ts";
import { Secret } from "../../src/kernel/secret.ts";
import { createFileAnchor } from "../../src/ledger/anchor-file.ts";
import { createHttpAnchor } from "../../src/ledger/anchor-http.ts";
import { createSyslogAnchor } from "../../src/ledger/anchor-syslog.ts";
import { anchoredNotesIn } from "../../src/ledger/anchor.ts";
import type { Anchor } from "../../src/ledger/anchor.ts";
import { openSigningKey } from "../../src/ledger/signing-key.ts";
import { chainedLines, LOG_ID, notesFor, someRecords } from "../setup/ledger-files.ts";
import { testFolder } from "../setup/minimal.ts";

interface Stand {
  readonly anchor: Anchor;
  /** Everything that has arrived, as an auditor would be handed it. */
  readonly kept: () => Promise<string>;
}

interface Kind {
  readonly name: string;
  readonly working: () => Promise<Stand>;
  /** The receiver is not there. UDP cannot tell. */
  readonly absent?: () => Promise<Anchor>;
  /** It takes the connection, and says nothing. */
  readonly silent?: () => Promise<Anchor>;
}

const TIMEOUT_MS = 200;

function someNotes(): string[] {
  const keys = openSigningKey(testFolder(), LOG_ID);
  return notesFor(chainedLines(someRecords(6)), [2, 4, 6], () => keys);
}

async function listening(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A port where nobody listens any more. */
async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function httpAt(answer: RequestListener): Promise<string> {
  const port = await listening(createHttpServer(answer));
  return `http://127.0.0.1:${port}/anchor?key=hidden`;
}

function syslogAt(port: number, transport: "tcp" | "udp", changes: object = {}): Anchor {
  return createSyslogAnchor({ host: "127.0.0.1", port, transport, clock: systemClock, ...changes });
}

const file: Kind = {
  name: "file",
  working() {
    const path = join(testFolder(), "anchored");
    const kept = (): Promise<string> => Promise.resolve(readFileSync(path, "utf8"));
    return Promise.resolve({ anchor: createFileAnchor(path), kept });
  },
  absent: () => Promise.resolve(createFileAnchor(join(testFolder(), "unmounted", "anchored"))),
};

const http: Kind = {
  name: "http",
  async working() {
    const bodies: string[] = [];
    const url = await httpAt((request, response) => {
      void text(request).then((body) => {
        bodies.push(body);
        response.writeHead(201).end();
      });
    });
    const kept = (): Promise<string> => Promise.resolve(bodies.join("---\n"));
    return { anchor: createHttpAnchor({ url }), kept };
  },
  async absent() {
    return createHttpAnchor({ url: `http://127.0.0.1:${await freePort()}/` });
  },
  async silent() {
    return createHttpAnchor({ url: await httpAt(() => undefined), timeout_ms: TIMEOUT_MS });
  },
};

const syslogTcp: Kind = {
  name: "syslog over TCP",
  async working() {
    const streams: Promise<string>[] = [];
    const port = await listening(createServer((socket) => void streams.push(text(socket))));
    const kept = async (): Promise<string> => (await Promise.all(streams)).join("\n");
    return { anchor: syslogAt(port, "tcp"), kept };
  },
  async absent() {
    return syslogAt(await freePort(), "tcp");
  },
  async silent() {
    const port = await listening(createServer({ allowHalfOpen: true }));
    return syslogAt(port, "tcp", { timeout_ms: TIMEOUT_MS });
  },
};

const syslogUdp: Kind = {
  name: "syslog over UDP",
  async working() {
    const datagrams: string[] = [];
    const socket = createSocket("udp4");
    socket.on("message", (message) => datagrams.push(message.toString("latin1")));
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    onTestFinished(() => void socket.close());
    const udp = syslogAt(socket.address().port, "udp");
    let sent = 0;
    const put = async (note: string): Promise<void> => {
      await udp.put(note);
      sent++;
    };
    const kept = async (): Promise<string> => {
      while (datagrams.length < sent) await once(socket, "message");
      return datagrams.join("\n");
    };
    return { anchor: { name: udp.name, put }, kept };
  },
};

describe.each([file, http, syslogTcp, syslogUdp])("an anchor: $name", (kind) => {
  test("keeps every checkpoint, byte for byte, in the order of its puts", async () => {
    const { anchor, kept } = await kind.working();
    const notes = someNotes();
    for (const note of notes) await anchor.put(note);
    expect(anchoredNotesIn(await kept())).toEqual(notes);
  });

  test("takes the same checkpoint twice: a retry cannot know what has arrived", async () => {
    const { anchor, kept } = await kind.working();
    const [note = ""] = someNotes();
    await anchor.put(note);
    await anchor.put(note);
    expect(anchoredNotesIn(await kept())).toEqual([note, note]);
  });

  test("has a name without credentials", async () => {
    const { anchor } = await kind.working();
    expect(anchor.name).toMatch(/^[a-z+]+:/);
    expect(anchor.name).not.toContain("hidden");
  });

  const { absent, silent } = kind;
  test.runIf(absent !== undefined)("rejects where nobody takes it", async () => {
    const [note = ""] = someNotes();
    await expect((await absent?.())?.put(note)).rejects.toThrow();
  });

  test.runIf(silent !== undefined)("rejects in time where nobody answers", async () => {
    const [note = ""] = someNotes();
    const anchor = await silent?.();
    const began = performance.now();
    await expect(anchor?.put(note)).rejects.toThrow();
    // Its own time, and not what is usual: ten seconds.
    expect(performance.now() - began).toBeLessThan(TIMEOUT_MS * 40);
  });
});

describe("a file anchor", () => {
  test("is private, and never makes the folder that a mount would bring", async () => {
    const folder = testFolder();
    const [note = ""] = someNotes();
    await createFileAnchor(join(folder, "anchored")).put(note);
    expect(statSync(join(folder, "anchored")).mode & 0o777).toBe(0o600);
    const unmounted = createFileAnchor(join(folder, "mount", "anchored"));
    await expect(unmounted.put(note)).rejects.toThrow(/ENOENT/);
    mkdirSync(join(folder, "mount"));
    await unmounted.put(note);
  });

  test("goes on behind a torn write, at whatever byte it was torn", async () => {
    const path = join(testFolder(), "anchored");
    const anchor = createFileAnchor(path);
    const [first = "", second = "", third = ""] = someNotes();
    const torn = Buffer.from(`${second}---\n`);
    for (let length = 1; length < torn.length; length++) {
      writeFileSync(path, `${first}---\n`);
      appendFileSync(path, torn.subarray(0, length));
      await anchor.put(third);
      const notes = anchoredNotesIn(readFileSync(path, "utf8"));
      expect(notes.at(0)).toBe(first);
      expect(notes.at(-1)).toBe(third);
    }
  });
});

test("what an anchor kept is read in one pass, however many blank lines are in it", () => {
  const [note = ""] = someNotes();
  // By the square of them it would take minutes.
  const blank = "\n".repeat(400_000);
  expect(anchoredNotesIn(`${blank}x${blank}${note}${blank}`)).toEqual([note]);
});

describe("an HTTP anchor", () => {
  test.each([304, 302, 400, 401, 500, 503])("takes %i for a no", async (status) => {
    let asked = 0;
    const url = await httpAt((_, response) => {
      asked++;
      response.writeHead(status, { location: "/elsewhere" }).end();
    });
    const [note = ""] = someNotes();
    await expect(createHttpAnchor({ url }).put(note)).rejects.toThrow(`answered ${status}`);
    // A redirect is not followed: the note goes where the operator said.
    expect(asked).toBe(1);
  });

  test("posts the note as text, with the operator's credential", async () => {
    const { promise, resolve } = Promise.withResolvers<IncomingMessage>();
    const url = await httpAt((request, response) => {
      resolve(request);
      response.writeHead(204).end();
    });
    const [note = ""] = someNotes();
    await createHttpAnchor({ url, authorization: new Secret("Bearer x") }).put(note);
    const { method, headers } = await promise;
    expect([method, headers.authorization]).toEqual(["POST", "Bearer x"]);
    expect(headers["content-type"]).toBe("text/plain; charset=utf-8");
  });

  test("does not wait for the end of an answer that never ends", async () => {
    const url = await httpAt((_, response) => void response.writeHead(200).write("and"));
    const [note = ""] = someNotes();
    await createHttpAnchor({ url, timeout_ms: 5000 }).put(note);
  });

  test("is an http(s) URL without credentials in it", () => {
    for (const url of ["file:///anchored", "https://a:b@anchor.test/", "not a URL"]) {
      expect(() => createHttpAnchor({ url })).toThrow(TypeError);
    }
  });
});

describe("a syslog anchor", () => {
  test("sends RFC 5424 in ASCII, counted in octets over TCP", async () => {
    const { anchor, kept } = await syslogTcp.working();
    const [note = ""] = someNotes();
    await anchor.put(note);
    const sent = await kept();
    const [, count, message = ""] = /^(\d+) (.*)$/s.exec(sent) ?? [];
    expect(Number(count)).toBe(Buffer.byteLength(message));
    expect(message).toMatch(
      /^<109>1 \d{4}-\d\d-\d\dT[\d:.]+Z [\x21-\x7e]+ doorless \d+ checkpoint - \{[\x20-\x7e]+\}$/,
    );
  });

  test("fits into the datagram that every collector must take", async () => {
    const { anchor, kept } = await syslogUdp.working();
    const [note = ""] = someNotes();
    await anchor.put(note);
    // RFC 5424 section 6.1: receivers SHOULD take 2048 octets.
    expect((await kept()).length).toBeLessThan(2048);
  });

  test("is told by a collector that breaks off", async () => {
    const port = await listening(createServer((socket) => void socket.resetAndDestroy()));
    const [note = ""] = someNotes();
    await expect(syslogAt(port, "tcp").put(note)).rejects.toThrow();
  });
});
