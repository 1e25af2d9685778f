// The SSRF guard: which addresses may be dialled, with and without the operator's word.
import { describe, expect, test } from "vitest";
import {
  AddressRefused,
  assertHost,
  guardedLookup,
  isLoopback,
  isSpecialAddress,
  mayDial,
} from "../../../src/kernel/address.ts";
import { verifies } from "../../verifies.ts";

type Dial = "always" | "when listed" | "never";

const TABLE: readonly (readonly [string, Dial])[] = [
  ["8.8.8.8", "always"],
  ["172.15.255.255", "always"],
  ["172.32.0.0", "always"],
  ["192.167.255.255", "always"],
  ["2606:4700::1111", "always"],
  ["2a00:1450:4001::1", "always"],
  ["127.0.0.1", "when listed"],
  ["127.255.255.254", "when listed"],
  ["10.0.0.1", "when listed"],
  ["172.16.0.1", "when listed"],
  ["172.31.255.255", "when listed"],
  ["192.168.1.1", "when listed"],
  ["100.64.0.1", "when listed"],
  ["198.18.0.1", "when listed"],
  ["::1", "when listed"],
  ["fd12:3456::1", "when listed"],
  ["2001:db8::1", "when listed"],
  ["2002:7f00:1::", "when listed"],
  ["64:ff9b::0808:0808", "when listed"],
  ["::ffff:127.0.0.1", "when listed"],
  ["::ffff:10.0.0.1", "when listed"],
  ["0.0.0.0", "never"],
  ["0.1.2.3", "never"],
  ["169.254.169.254", "never"],
  ["169.254.170.2", "never"],
  ["224.0.0.1", "never"],
  ["255.255.255.255", "never"],
  ["::", "never"],
  ["::ffff:169.254.169.254", "never"],
  ["::ffff:a9fe:a9fe", "never"],
  ["::ffff:0.0.0.0", "never"],
  ["64:ff9b::a9fe:a9fe", "never"],
  ["2002:a9fe:a9fe::", "never"],
  ["::a9fe:a9fe", "never"],
  ["fd00:ec2::254", "never"],
  ["fe80::1", "never"],
  ["ff02::1", "never"],
  ["not an address", "never"],
  ["", "never"],
  ["2130706433", "never"],
  ["0x7f.0.0.1", "never"],
];

function dialOf(address: string): Dial {
  if (mayDial(address, false)) return "always";
  return mayDial(address, true) ? "when listed" : "never";
}

describe("addresses", () => {
  for (const [address, expected] of TABLE) {
    verifies("broker.origin-only", `${address || "(empty)"} may be dialled ${expected}`, () => {
      expect(dialOf(address)).toBe(expected);
      if (expected === "always") expect(isSpecialAddress(address)).toBe(false);
      else expect(isSpecialAddress(address)).toBe(true);
    });
  }

  test("loopback is 127/8, ::1 and localhost, with brackets or without", () => {
    for (const host of ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"]) {
      expect(isLoopback(host), host).toBe(true);
    }
    for (const host of ["127.evil.test", "localhost.test", "10.0.0.1", "0.0.0.0", "::"]) {
      expect(isLoopback(host), host).toBe(false);
    }
  });

  test("a literal address is checked before anything connects", () => {
    expect(() => assertHost("[::ffff:a9fe:a9fe]", true)).toThrow(AddressRefused);
    expect(() => assertHost("127.0.0.1", false)).toThrow(AddressRefused);
    expect(() => assertHost("127.0.0.1", true)).not.toThrow();
    expect(() => assertHost("api.test", false)).not.toThrow();
  });
});

type Looked = { error: Error | null; address: unknown; family: number | undefined };

function look(allow_private: boolean, all: boolean): Promise<Looked> {
  return new Promise((resolve) => {
    guardedLookup(allow_private)("localhost", { all, family: 4 }, (error, address, family) =>
      resolve({ error, address, family }),
    );
  });
}

describe("guarded look-up", () => {
  verifies("broker.origin-only", "a name that resolves to loopback is refused", async () => {
    for (const all of [true, false]) {
      const { error, address } = await look(false, all);
      expect(error).toBeInstanceOf(AddressRefused);
      expect(address).toEqual([]);
    }
  });

  test("hands over the addresses that it checked, in the form asked for", async () => {
    expect(await look(true, true)).toMatchObject({
      error: null,
      address: [{ address: "127.0.0.1", family: 4 }],
    });
    expect(await look(true, false)).toEqual({ error: null, address: "127.0.0.1", family: 4 });
  });
});
