// Checkpoints are C2SP signed notes: anybody's tool verifies them, and none takes a changed one.
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { originOf, parseCheckpoint } from "../../../src/ledger/checkpoint.ts";
import { signCheckpoint, verifyCheckpoint } from "../../../src/ledger/checkpoint.ts";
import { parseNote, parseVerifierKey, signNote } from "../../../src/ledger/note.ts";
import { NoteInvalid, verifierKeyOf, verifyNote } from "../../../src/ledger/note.ts";
import type { SigningKey } from "../../../src/ledger/note.ts";

// The key and the note of golang.org/x/mod/sumdb/note's own tests and documentation.
const PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const PETER_SECRET = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const PETER_TEXT =
  "If you think cryptography is the answer to your problem,\n" +
  "then you don't know what your problem is.\n";
const PETER_LINE =
  "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngo" +
  "tpRZb6KE6RyyBwJnAM=\n";

function peter(): SigningKey {
  const verifier = parseVerifierKey(PETER);
  const seed = Buffer.from(PETER_SECRET, "base64").subarray(1);
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  const private_key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  return { private_key, verifier };
}

function keyNamed(name: string): SigningKey {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return { private_key: privateKey, verifier: verifierKeyOf(name, publicKey) };
}

const HEAD = { log_id: "7", size: 20_852_163, root: Buffer.alloc(32, 9) };

describe("a signed note", () => {
  test("is the one that Go's sumdb/note writes and verifies", () => {
    const note = signNote(PETER_TEXT, [peter()]);
    expect(note).toBe(`${PETER_TEXT}\n${PETER_LINE}`);
    expect(verifyNote(parseNote(note), [parseVerifierKey(PETER)])).toHaveLength(1);
    expect(parseVerifierKey(PETER).text).toBe(PETER);
  });

  test("ends its text at the last empty line", () => {
    const text = "a\n\nb\n";
    expect(parseNote(signNote(text, [peter()])).text).toBe(text);
  });

  test("ignores the signatures of strangers, and is refused for one wrong of a known key", () => {
    const stranger = keyNamed("PeterNeumann");
    const note = signNote(PETER_TEXT, [stranger, peter()]);
    const keys = [peter().verifier];
    expect(verifyNote(parseNote(note), keys).map(({ id }) => id)).toEqual(["c74f20a3"]);
    const wrong = note.replace("x08go/ZJ", "x08go/ZK");
    expect(() => verifyNote(parseNote(wrong), keys)).toThrow(/signature of PeterNeumann .* wrong/);
    expect(() => verifyNote(parseNote(note), [])).toThrow(/not signed by a key that we trust/);
  });

  test.each([
    ["no signature", "a\n\n"],
    ["no empty line", `a\n${PETER_LINE}`],
    ["no end", `a\n\n${PETER_LINE.trimEnd()}`],
    ["a control character", `a\tb\n\n${PETER_LINE}`],
    ["a hyphen for the dash", `a\n\n${PETER_LINE.replace("\u2014", "-")}`],
    ["free bits in its base64", `a\n\n${PETER_LINE.replace("nAM=", "nAN=")}`],
    ["a key name with a plus", `a\n\n${PETER_LINE.replace("Peter", "Pe+er")}`],
    ["seventeen signatures", `a\n\n${PETER_LINE.repeat(17)}`],
  ])("with %s is none", (_, note) => {
    expect(() => parseNote(note)).toThrow(NoteInvalid);
  });

  test.each([
    ["another id", PETER.replace("c74f20a3", "c74f20a4")],
    ["another name", PETER.replace("Peter", "Petra")],
    ["another algorithm", PETER.replace("+ARpc", "+AhpC")],
    ["something after it", `${PETER} `],
    ["nothing", ""],
  ])("has no key with %s", (_, text) => {
    expect(() => parseVerifierKey(text)).toThrow(NoteInvalid);
  });
});

describe("a checkpoint", () => {
  test("is three lines and a signature, named after the log", () => {
    const key = keyNamed(originOf("7"));
    const text = signCheckpoint({ current: key }, HEAD);
    const [origin, size, root, empty, signature] = text.split("\n");
    expect([origin, size, empty]).toEqual(["doorless/ledger/7", "20852163", ""]);
    expect(Buffer.from(root ?? "", "base64")).toEqual(HEAD.root);
    expect(signature).toMatch(/^\u2014 doorless\/ledger\/7 [A-Za-z0-9+/]{91}=$/);
    const verified = verifyCheckpoint(text, [key.verifier]);
    expect(verified).toMatchObject({ origin, size: HEAD.size, root: HEAD.root });
    expect(verified.next_key).toBeUndefined();
  });

  test("of another log is not accepted, though a known key signed it", () => {
    const key = keyNamed(originOf("8"));
    const text = signCheckpoint({ current: key }, HEAD);
    expect(() => verifyCheckpoint(text, [key.verifier])).toThrow(/not signed by a key/);
  });

  test.each([
    ["a leading zero", "o\n01\n$R\n"],
    ["a sign", "o\n-1\n$R\n"],
    ["more digits than a number holds", "o\n9999999999999999\n$R\n"],
    ["a short root", "o\n1\nAAAA\n"],
    ["an empty line", "o\n1\n$R\n\nx\n"],
    ["two lines", "o\n1\n"],
    ["a next key that is none", "o\n1\n$R\nnext-key x\n"],
  ])("with %s is none", (_, text) => {
    const root = Buffer.alloc(32).toString("base64");
    const note = signNote(text.replace("$R", root), [peter()]);
    expect(() => parseCheckpoint(note)).toThrow(NoteInvalid);
  });

  test("changed by one bit, anywhere, is refused", () => {
    const key = keyNamed(originOf("7"));
    const bytes = Buffer.from(signCheckpoint({ current: key }, HEAD));
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const text = changed.toString("utf8");
      expect(() => verifyCheckpoint(text, [key.verifier]), `bit ${bit}`).toThrow(NoteInvalid);
    }
  });
});

describe("a change of the key", () => {
  const former = keyNamed(originOf("7"));
  const current = keyNamed(originOf("7"));
  const attestation = signCheckpoint({ current, former }, HEAD);

  test("is signed by both keys, over the new one's name", () => {
    const verified = verifyCheckpoint(attestation, [former.verifier]);
    expect(verified.next_key?.text).toBe(current.verifier.text);
    expect(attestation.split("\n")[3]).toBe(`next-key ${current.verifier.text}`);
  });

  test("is none without the former key's signature, or without the new one's", () => {
    const [, fromNew = "", fromFormer = ""] = /\n(\u2014.*\n)(\u2014.*\n)$/.exec(attestation) ?? [];
    const both = [former.verifier, current.verifier];
    const self = attestation.replace(fromFormer, "");
    expect(() => verifyCheckpoint(self, both)).toThrow(/without the signature of a former one/);
    const unasked = attestation.replace(fromNew, "");
    expect(() => verifyCheckpoint(unasked, both)).toThrow(/not signed by a key/);
  });

  test("is not made by a second signature under somebody's old checkpoint", () => {
    const old = signCheckpoint({ current: former }, HEAD);
    const thief = keyNamed(originOf("7"));
    const signature = signCheckpoint({ current: thief }, HEAD).split("\n\n")[1] ?? "";
    expect(verifyCheckpoint(`${old}${signature}`, [former.verifier]).next_key).toBeUndefined();
  });
});
