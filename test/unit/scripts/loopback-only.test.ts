// The guard that keeps every test on this machine.
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, LookupFunction } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";

const server = createServer((socket) => socket.end());

beforeAll(async () => {
  await once(server.listen(0, "127.0.0.1"), "listening");
});

afterAll(() => {
  server.close();
});

const port = (): number => (server.address() as AddressInfo).port;

test("loopback is reachable, by every way of saying it", async () => {
  for (const host of [undefined, "localhost", "127.0.0.1"]) {
    const socket = connect({ port: port(), ...(host === undefined ? {} : { host }) });
    await once(socket, "connect");
    socket.destroy();
  }
});

test("anything else throws before a packet is sent", () => {
  for (const host of [
    "192.0.2.1",
    "example.com",
    "2001:db8::1",
    "0.0.0.0",
    "localhost.evil.example",
  ]) {
    expect(() => connect(443, host)).toThrow("leave this machine");
    expect(() => connect({ port: 443, host })).toThrow("leave this machine");
    expect(() => connectTls({ port: 443, host })).toThrow("leave this machine");
  }
});

test("fetch is held to it too", async () => {
  await expect(fetch("http://192.0.2.1/")).rejects.toMatchObject({
    cause: { message: expect.stringContaining("leave this machine") as string },
  });
});

test("a look-up of one's own is judged by its answer", async () => {
  const answering =
    (address: string): LookupFunction =>
    (_name, options, done) => {
      if (options.all === true) done(null, [{ address, family: 4 }]);
      else done(null, address, 4);
    };
  const inside = connect({ port: port(), host: "api.example", lookup: answering("127.0.0.1") });
  await once(inside, "connect");
  inside.destroy();
  const outside = connect({ port: port(), host: "api.example", lookup: answering("192.0.2.1") });
  await expect(once(outside, "connect")).rejects.toThrow("leave this machine");
});
