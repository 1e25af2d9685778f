// The signing key is made once, kept private, changed on purpose only, and never replaced silently.
import { existsSync, readFileSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { signCheckpoint, verifyCheckpoint } from "../../../src/ledger/checkpoint.ts";
import { NoteInvalid } from "../../../src/ledger/note.ts";
import { forgetFormerKey, isKeyLost, openSigningKey } from "../../../src/ledger/signing-key.ts";
import { parseVerifierKeys, publishKeys } from "../../../src/ledger/signing-key.ts";
import { rotateSigningKey, SigningKeyLost } from "../../../src/ledger/signing-key.ts";
import { testFolder } from "../../setup/minimal.ts";

const modeOf = (path: string): number => statSync(path).mode & 0o777;
const published = (folder: string): string =>
  readFileSync(join(folder, "ledger-signing.pub"), "utf8");

describe("the signing key", () => {
  test("is made at first use, private, and read again", () => {
    const folder = join(testFolder(), "keys");
    const made = openSigningKey(folder, "7");
    expect(modeOf(join(folder, "ledger-signing.pem"))).toBe(0o600);
    expect(readFileSync(join(folder, "ledger-signing.pem"), "utf8")).toContain("PRIVATE KEY");
    const read = openSigningKey(folder, "7");
    expect(read.current.verifier.text).toBe(made.current.verifier.text);
    expect(read.former).toBeUndefined();
    expect(published(folder)).toBe(`${made.current.verifier.text}\n`);
    expect(readdirSync(folder).toSorted()).toEqual(["ledger-signing.pem", "ledger-signing.pub"]);
  });

  test("that is gone is an error, not a new key", () => {
    const folder = testFolder();
    openSigningKey(folder, "7");
    rmSync(join(folder, "ledger-signing.pem"));
    expect(() => openSigningKey(folder, "7")).toThrow(SigningKeyLost);
    expect(existsSync(join(folder, "ledger-signing.pem"))).toBe(false);
  });

  test("that is no key any more is named, and replaced only once it is taken away", () => {
    const folder = testFolder();
    openSigningKey(folder, "7");
    writeFileSync(join(folder, "ledger-signing.pem"), "no key");
    expect(() => openSigningKey(folder, "7")).toThrow(/ledger-signing\.pem holds no key: put it/);
    expect(isKeyLost(folder)).toBe(false);
    rmSync(join(folder, "ledger-signing.pem"));
    expect(isKeyLost(folder)).toBe(true);
    expect(isKeyLost(testFolder())).toBe(false);
  });

  test("belongs to one log", () => {
    const folder = testFolder();
    openSigningKey(folder, "7");
    expect(() => openSigningKey(folder, "8")).toThrow(/keys of another log/);
  });

  test("is published again where a crash came before its publication", () => {
    const folder = testFolder();
    const { current } = openSigningKey(folder, "7");
    rmSync(join(folder, "ledger-signing.pub"));
    openSigningKey(folder, "7");
    expect(published(folder)).toBe(`${current.verifier.text}\n`);
  });

  test("has its public half, and nothing else, copied beside the log", () => {
    const [folder, ledger] = [testFolder(), testFolder()];
    openSigningKey(folder, "7");
    publishKeys(folder, ledger);
    rotateSigningKey(folder, "7");
    publishKeys(folder, ledger);
    expect(readdirSync(ledger)).toEqual(["keys.pub"]);
    const copied = readFileSync(join(ledger, "keys.pub"), "utf8");
    expect(copied).toBe(published(folder));
    expect(parseVerifierKeys(copied)).toHaveLength(2);
  });

  test("is not read from a text that holds something else", () => {
    expect(() => parseVerifierKeys("")).toThrow(NoteInvalid);
    expect(() => parseVerifierKeys("# keys\n")).toThrow(NoteInvalid);
  });
});

describe("a rotation", () => {
  test("keeps the former key until the change is attested, and its public half for ever", () => {
    const folder = testFolder();
    const { current: first } = openSigningKey(folder, "7");
    const rotated = rotateSigningKey(folder, "7");
    expect(rotated.former?.verifier.text).toBe(first.verifier.text);
    expect(rotated.current.verifier.text).not.toBe(first.verifier.text);
    expect(() => rotateSigningKey(folder, "7")).toThrow(/not attested/);
    const again = openSigningKey(folder, "7");
    const note = signCheckpoint(again, { log_id: "7", size: 1, root: Buffer.alloc(32) });
    const { next_key } = verifyCheckpoint(note, [first.verifier]);
    expect(next_key?.text).toBe(rotated.current.verifier.text);
    forgetFormerKey(folder);
    expect(openSigningKey(folder, "7").former).toBeUndefined();
    expect(existsSync(join(folder, "ledger-signing.former.pem"))).toBe(false);
    const keys = [first, rotated.current].map(({ verifier }) => `${verifier.text}\n`);
    expect(published(folder)).toBe(keys.join(""));
    expect(modeOf(join(folder, "ledger-signing.pem"))).toBe(0o600);
  });

  test("that a crash cut off is finished, or has not happened", () => {
    const folder = testFolder();
    const file = (name: string): string => join(folder, `ledger-signing.${name}`);
    const { current: first } = openSigningKey(folder, "7");
    const before = published(folder);
    const { current: second } = rotateSigningKey(folder, "7");
    // After the new key was written, before the former one was moved.
    renameSync(file("pem"), file("next.pem"));
    renameSync(file("former.pem"), file("pem"));
    writeFileSync(file("pub"), before);
    expect(openSigningKey(folder, "7").current.verifier.text).toBe(first.verifier.text);
    // After the former one was moved.
    renameSync(file("pem"), file("former.pem"));
    const finished = openSigningKey(folder, "7");
    expect(finished.current.verifier.text).toBe(second.verifier.text);
    expect(finished.former?.verifier.text).toBe(first.verifier.text);
    expect(parseVerifierKeys(published(folder))).toHaveLength(2);
  });

  test("replaces a lost key, and then has nothing to attest the change with", () => {
    const folder = testFolder();
    const { current: lost } = openSigningKey(folder, "7");
    rmSync(join(folder, "ledger-signing.pem"));
    const { current, former } = rotateSigningKey(folder, "7");
    expect(former).toBeUndefined();
    expect(current.verifier.text).not.toBe(lost.verifier.text);
    expect(parseVerifierKeys(published(folder))).toHaveLength(2);
  });

  test("left unfinished does not become the key of a log that lost its own", () => {
    const folder = testFolder();
    const file = (name: string): string => join(folder, `ledger-signing.${name}`);
    openSigningKey(folder, "7");
    rotateSigningKey(folder, "7");
    forgetFormerKey(folder);
    renameSync(file("pem"), file("next.pem"));
    expect(() => openSigningKey(folder, "7")).toThrow(SigningKeyLost);
  });
});
