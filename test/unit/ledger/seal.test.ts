// A sealed value opens under its person's key in its own field, and nowhere else.
import { createDecipheriv } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Sealer } from "../../../src/ledger/mark.ts";
import { revealRecord } from "../../../src/ledger/reveal.ts";
import {
  comparable,
  isSealed,
  isTruncated,
  KeyErased,
  KeyUnknown,
  SealBroken,
} from "../../../src/ledger/seal.ts";
import type { Sealed } from "../../../src/ledger/seal.ts";
import { GIL, MIA, OMAR, openRing } from "./ring.ts";
import type { Ring } from "./ring.ts";

const NOTE = "They signed this morning.";
const AT = "/args/note";

function sealedIn({ sealer }: Ring, value: unknown = NOTE, who = MIA, path = AT): Sealed {
  const sealed = sealer.seal(who, path, value);
  if (!isSealed(sealed)) throw new Error("not sealed");
  return sealed;
}

describe("a sealed value", () => {
  test("is its key's id, its ciphertext, its digest and its length, and nothing else", () => {
    const ring = openRing();
    const { key_id } = ring.keyring.keyFor(MIA);
    const sealed = sealedIn(ring);
    expect(sealed).toEqual({
      sealed: expect.stringMatching(/^key_[\w-]{16}\.[\w-]+$/),
      digest: ring.sealer.digestOf("acme", NOTE),
      chars: NOTE.length,
    });
    const [id, text = ""] = sealed.sealed.split(".");
    expect(id).toBe(key_id);
    expect(Buffer.from(text, "base64url")).toHaveLength(12 + JSON.stringify(NOTE).length + 16);
  });

  test("is AES-256-GCM over its JSON, bound to its field and its key's id", () => {
    const ring = openRing();
    const { key_id, key } = ring.keyring.keyFor(MIA);
    const bytes = Buffer.from(sealedIn(ring).sealed.slice(21), "base64url");
    const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, 12));
    decipher.setAuthTag(bytes.subarray(-16));
    decipher.setAAD(Buffer.from(`\0\0\0\x0fledger-field-v1\0\0\0\x0a${AT}\0\0\0\x14${key_id}`));
    const json = decipher.update(bytes.subarray(12, -16), undefined, "utf8");
    expect(json + decipher.final("utf8")).toBe(JSON.stringify(NOTE));
  });

  test("opens to exactly what was sealed, whatever it was", () => {
    const ring = openRing();
    const values = [
      NOTE,
      "",
      "é\u0000\u{1f600}",
      "\ud800",
      0,
      -1.5,
      true,
      null,
      [1, ["x"]],
      { a: "b" },
    ];
    for (const value of values) {
      expect(ring.sealer.reveal(sealedIn(ring, value), AT)).toEqual(value);
    }
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 80 }), fc.string(), (text, path) => {
        expect(ring.sealer.reveal(sealedIn(ring, text, MIA, path), path)).toBe(text);
      }),
    );
  });

  test("is never the same twice, though its digest is", () => {
    const ring = openRing();
    const many = Array.from({ length: 500 }, () => sealedIn(ring));
    expect(new Set(many.map(({ sealed }) => sealed.slice(21, 37))).size).toBe(500);
    expect(new Set(many.map(({ digest }) => digest)).size).toBe(1);
    expect(new Set(many.map((one) => comparable({ note: one }))).size).toBe(1);
    expect(comparable({ note: sealedIn(ring, "other") })).not.toBe(comparable({ note: many[0] }));
  });

  test("does not open in another field, under another key, or with a letter changed", () => {
    const ring = openRing();
    const { sealed } = sealedIn(ring);
    const omar = sealedIn(ring, NOTE, OMAR).sealed;
    const swapped = omar.slice(0, 21) + sealed.slice(21);
    for (const path of ["/args/not", "/args/notes", "/result/note", ""]) {
      expect(() => ring.sealer.reveal({ sealed }, path)).toThrow(SealBroken);
    }
    expect(() => ring.sealer.reveal({ sealed: swapped }, AT)).toThrow(SealBroken);
    for (let i = 21; i < sealed.length - 1; i++) {
      const changed = `${sealed.slice(0, i)}${sealed[i] === "A" ? "B" : "A"}${sealed.slice(i + 1)}`;
      expect(() => ring.sealer.reveal({ sealed: changed }, AT)).toThrow(SealBroken);
    }
    for (const bad of ["", "key_", sealed.slice(0, 40), `${sealed}.`, ` ${sealed}`]) {
      expect(() => ring.sealer.reveal({ sealed: bad }, AT)).toThrow(SealBroken);
    }
  });

  test("of a key that is nowhere is an error of its own", () => {
    const { sealed } = sealedIn(openRing());
    expect(() => openRing().sealer.reveal({ sealed }, AT)).toThrow(KeyUnknown);
  });
});

describe("after erasure", () => {
  test("nothing of that person opens, all others' does, and what comes later too", () => {
    const ring = openRing();
    const [mia, omar] = [sealedIn(ring), sealedIn(ring, NOTE, OMAR)];
    const erased_at = new Date(ring.clock.now()).toISOString();
    ring.keyring.erase(MIA);
    const failure = expect.objectContaining({ name: "KeyErased", erased_at });
    expect(() => ring.sealer.reveal(mia, AT)).toThrow(failure);
    expect(() => ring.sealer.reveal(mia, AT)).toThrow(KeyErased);
    expect(ring.sealer.reveal(omar, AT)).toBe(NOTE);
    expect(ring.sealer.reveal(sealedIn(ring), AT)).toBe(NOTE);
    ring.keyring.close();
    expect(() => openRing(ring.data).sealer.reveal(mia, AT)).toThrow(KeyErased);
  });
});

describe("digests", () => {
  test("are equal for equal text in one tenant, whoever and whatever field, and only there", () => {
    const ring = openRing();
    const { digest } = sealedIn(ring);
    expect(sealedIn(ring, NOTE, OMAR, "/result/rows/0/who").digest).toBe(digest);
    expect(sealedIn(ring, NOTE, GIL).digest).not.toBe(digest);
    const tenants = ["acme", "globex", "", "-", "+acme", null];
    expect(new Set(tenants.map((tenant) => ring.sealer.digestOf(tenant, NOTE))).size).toBe(6);
    expect(ring.sealer.digestOf("acme", { b: 1, a: 2 })).toBe(
      ring.sealer.digestOf("acme", { a: 2, b: 1 }),
    );
    expect(digest).toMatch(/^hmac-sha256:[\w-]{43}$/);
  });

  test("need the deployment's key, and stay the same after a restart", () => {
    const ring = openRing();
    const before = ring.sealer.digestOf("acme", NOTE);
    ring.keyring.close();
    expect(openRing(ring.data).sealer.digestOf("acme", NOTE)).toBe(before);
    const other = openRing();
    expect(other.sealer.digestOf("acme", NOTE)).toBe(before);
    // RFC 5869 over 32 bytes of 7, and RFC 2104, as Python's hmac computes them.
    expect(before).toBe("hmac-sha256:JSFmPfQ97cI2qZZw5tQPwaZuGS07JHUUXh7denJyy_M");
    const another = new Sealer(other.keyring, Buffer.alloc(32, 8));
    expect(another.digestOf("acme", NOTE)).not.toBe(before);
  });
});

describe("a person's name", () => {
  const MIA_NAMED = { ...MIA, tenant: "acme", name: "Mia Lindqvist" };

  test("is sealed at /user, and made once for as long as it stays the same", () => {
    const { sealer } = openRing();
    const user = sealer.sealName(MIA_NAMED);
    expect(isSealed(user)).toBe(true);
    expect(sealer.sealName(MIA_NAMED)).toBe(user);
    expect(sealer.reveal(user as Sealed, "/user")).toBe("Mia Lindqvist");
    const married = sealer.sealName({ ...MIA_NAMED, name: "Mia Berg" });
    expect(sealer.reveal(married as Sealed, "/user")).toBe("Mia Berg");
  });

  test("has a digest that nobody can test a guess against once the key is erased", () => {
    const { sealer, keyring } = openRing();
    const before = sealer.sealName(MIA_NAMED);
    expect(before.digest).not.toBe(sealer.digestOf("acme", "Mia Lindqvist"));
    keyring.erase(MIA);
    const after = sealer.sealName(MIA_NAMED);
    expect(after.digest).not.toBe(before.digest);
    expect(() => sealer.reveal(before as Sealed, "/user")).toThrow(KeyErased);
    expect(sealer.reveal(after as Sealed, "/user")).toBe("Mia Lindqvist");
  });

  test("that is absurdly long is its size and digest", () => {
    const { sealer } = openRing();
    const user = sealer.sealName({ ...MIA_NAMED, name: "é".repeat(1025) });
    expect(isTruncated(user) && user.bytes).toBe(2050);
  });
});

describe("a record", () => {
  const recordIn = (ring: Ring) => ({
    kind: "refusal",
    user: ring.sealer.sealName({ ...MIA, tenant: "acme", name: "Mia Lindqvist" }),
    args: { id: 7, note: sealedIn(ring), "a/b~c": sealedIn(ring, [1], MIA, "/args/a~1b~0c") },
    result: { rows: [{ n: 1, who: sealedIn(ring, "omar", MIA, "/result/rows/0/who") }] },
    downstream: [{ url: "https://api.test/x" }],
  });

  test("is revealed with its text in place, and is not changed itself", () => {
    const ring = openRing();
    const record = recordIn(ring);
    const before = JSON.stringify(record);
    expect(revealRecord(record, ring.sealer)).toEqual({
      kind: "refusal",
      user: "Mia Lindqvist",
      args: { id: 7, note: NOTE, "a/b~c": [1] },
      result: { rows: [{ n: 1, who: "omar" }] },
      downstream: [{ url: "https://api.test/x" }],
    });
    expect(JSON.stringify(record)).toBe(before);
  });

  test("says what was erased, and keeps what was readable", () => {
    const ring = openRing();
    const record = recordIn(ring);
    ring.keyring.erase(MIA);
    const gone = { erased: true };
    expect(revealRecord(record, ring.sealer)).toEqual({
      kind: "refusal",
      user: gone,
      args: { id: 7, note: gone, "a/b~c": gone },
      result: { rows: [{ n: 1, who: gone }] },
      downstream: [{ url: "https://api.test/x" }],
    });
  });

  test("with a sealed value moved between its fields is not shown at all", () => {
    const ring = openRing();
    const record = recordIn(ring);
    const { note } = record.args;
    const forged = { ...record, result: { rows: [{ n: 1, who: note }] } };
    expect(() => revealRecord(forged, ring.sealer)).toThrow(SealBroken);
    expect(() => revealRecord(record, openRing().sealer)).toThrow(KeyUnknown);
  });

  test("from before sealing, with a plain name and no result, is shown as it is", () => {
    const { sealer } = openRing();
    const old = { user: "Mia", args: { id: 7, list: [null, 1] }, result: null };
    expect(revealRecord(old, sealer)).toEqual(old);
    expect(revealRecord({ kind: "event" }, sealer)).toEqual({ kind: "event" });
  });
});
