// The local socket: private, whole answers, and a clear word where nobody serves it.
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  askLocal,
  LocalError,
  NotRunning,
  readLocal,
  serveLocal,
} from "../../../src/console/local.ts";
import type { Answer } from "../../../src/console/local.ts";
import { testFolder } from "../../setup/minimal.ts";

async function served(answer: Answer, folder = testFolder()) {
  const server = await serveLocal(folder, "core", { url: "http://127.0.0.1:1" }, answer);
  onTestFinished(() => server.close());
  return { folder, server };
}

describe("the local socket", () => {
  test("answers questions, and hands over what an answer throws by name", async () => {
    const { folder } = await served((path, body) => {
      if (path === "/bad") throw Object.assign(new RangeError("no"), { detail: [1] });
      return Promise.resolve({ path, body });
    });
    expect(await askLocal(folder, "core", "/x", { a: "ü" })).toEqual({
      path: "/x",
      body: { a: "ü" },
    });
    const error = await askLocal(folder, "core", "/bad", {}).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(LocalError);
    expect(error).toMatchObject({ type: "RangeError", message: "no", detail: [1] });
    expect(JSON.stringify(error)).not.toMatch(/\.ts:\d/);
  });

  test("is its owner's alone, and gone with its server", async () => {
    const { folder, server } = await served(() => Promise.resolve(null));
    for (const name of ["core.sock", "core.json"]) {
      expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
    }
    expect(readdirSync(folder).toSorted()).toEqual(["core.json", "core.sock"]);
    await server.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  test("nobody there is NotRunning, also where a dead one left its file", async () => {
    const folder = testFolder();
    await expect(askLocal(folder, "core", "/x", {})).rejects.toThrow(NotRunning);
    writeFileSync(join(folder, "core.json"), JSON.stringify({ socket: join(folder, "no.sock") }));
    await expect(askLocal(folder, "core", "/x", {})).rejects.toThrow(NotRunning);
    writeFileSync(join(folder, "core.json"), "{ torn");
    expect(readLocal(folder, "core")).toBeUndefined();
    await expect(askLocal(folder, "core", "/x", {})).rejects.toThrow(NotRunning);
  });

  test("whoever answers anything else there is no doorless", async () => {
    const folder = testFolder();
    const socket = join(folder, "other.sock");
    writeFileSync(join(folder, "core.json"), JSON.stringify({ socket }));
    let said: readonly [status: number, text: string] = [200, ""];
    const server = createServer((_req, res) => res.writeHead(said[0]).end(said[1]));
    onTestFinished(() => void server.close());
    await new Promise<void>((listening) => server.listen(socket, listening));
    for (said of [
      [200, "<html>"],
      [200, ""],
      [404, "Not found"],
      [400, "null"],
      [400, '{"error":"no"}'],
      [500, '{"error":{"message":"no"}}'],
    ] as const) {
      const error: unknown = await askLocal(folder, "core", "/x", {}).catch((e: unknown) => e);
      expect(error, said[1]).toBeInstanceOf(NotRunning);
      expect(String(error)).toContain(`no doorless runs in ${folder}: ${socket} answers like none`);
    }
  });

  test("a folder whose path is too long for a socket works as well", async () => {
    const folder = join(testFolder(), "x".repeat(120));
    mkdirSync(folder);
    const { server } = await served(() => Promise.resolve("here"), folder);
    expect(await askLocal(folder, "core", "/x", {})).toBe("here");
    const socket = String(readLocal(folder, "core")?.["socket"]);
    expect(socket.startsWith(folder)).toBe(false);
    await server.close();
    expect(existsSync(socket)).toBe(false);
  });

  test("a question beyond a megabyte is refused", async () => {
    const { folder } = await served(() => Promise.resolve(1));
    const large = { text: "x".repeat(1_100_000) };
    await expect(askLocal(folder, "core", "/x", large)).rejects.toThrow(/too large|no doorless/);
  });
});
