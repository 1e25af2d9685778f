// Addresses that an API on the internet never has (SSRF guard; used by the broker and identity).
import { lookup } from "node:dns";
import { BlockList, isIP } from "node:net";
import type { LookupFunction } from "node:net";

// One list per family: a BlockList holds an IPv4 address against its IPv6 rules too, as mapped, and
// then `::` below would make every IPv4 address special.
const special4 = new BlockList();
const special6 = new BlockList();
// IANA special-purpose registries (RFC 6890 and its updates), cloud metadata included.
for (const [net, bits] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
] as const) {
  special4.addSubnet(net, bits, "ipv4");
}
// Only 2000::/3 is global unicast; inside it the transition and documentation ranges are not ours.
for (const [net, bits] of [
  ["::", 3],
  ["4000::", 2],
  ["8000::", 1],
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
] as const) {
  special6.addSubnet(net, bits, "ipv6");
}

/** True for loopback, private, link-local, metadata, multicast and every other special address. */
export function isSpecialAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 0) return true;
  return family === 4 ? special4.check(address, "ipv4") : special6.check(address, "ipv6");
}

/** True for 127.0.0.0/8, ::1 and the name `localhost`. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "");
  return bare === "localhost" || bare === "::1" || (isIP(bare) === 4 && bare.startsWith("127."));
}

// Never an API or a provider, whatever the operator listed: the clouds' metadata services live on
// link-local addresses (AWS has one more, in a private range), and the rest are not one host.
const forbidden = new BlockList();
forbidden.addSubnet("0.0.0.0", 8, "ipv4");
forbidden.addSubnet("169.254.0.0", 16, "ipv4");
forbidden.addSubnet("224.0.0.0", 3, "ipv4");
forbidden.addAddress("::", "ipv6");
forbidden.addAddress("fd00:ec2::254", "ipv6");
// The same link-local IPv4 behind NAT64, 6to4, and as IPv4-compatible.
forbidden.addSubnet("64:ff9b::a9fe:0", 112, "ipv6");
forbidden.addSubnet("2002:a9fe::", 32, "ipv6");
forbidden.addSubnet("::a9fe:0", 112, "ipv6");
forbidden.addSubnet("fe80::", 10, "ipv6");
forbidden.addSubnet("ff00::", 8, "ipv6");

/** Whether it may be dialled. `allow_private` opens loopback and private networks only. */
export function mayDial(address: string, allow_private: boolean): boolean {
  const version = isIP(address);
  // BlockList compares IPv4-mapped IPv6 addresses with the IPv4 rules as well.
  if (version === 0 || forbidden.check(address, version === 4 ? "ipv4" : "ipv6")) return false;
  return allow_private || !isSpecialAddress(address);
}

/** What each `AddressRefused` says, wherever its text ends up. */
export const REFUSED_ADDRESS = "a refused address";

export class AddressRefused extends Error {
  override readonly name = "AddressRefused";
  readonly code = "EADDRESSREFUSED";
}

/**
 * A `lookup` for `net.connect` that resolves once, refuses the whole name where any of its
 * addresses may not be dialled, and hands over the addresses that were checked.
 */
export function guardedLookup(allow_private: boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, []);
      const bad = addresses.find(({ address }) => !mayDial(address, allow_private));
      if (bad !== undefined || addresses.length === 0) {
        return callback(new AddressRefused(`${hostname} resolves to ${REFUSED_ADDRESS}`), []);
      }
      if (options.all === true) return callback(null, addresses);
      const first = addresses[0];
      callback(null, first?.address ?? "", first?.family);
    });
  };
}

/** `net.connect` never looks up a literal address: it is checked here, before. */
export function assertHost(hostname: string, allow_private: boolean): void {
  const bare = hostname.replace(/^\[|\]$/g, "");
  if (isIP(bare) !== 0 && !mayDial(bare, allow_private)) {
    throw new AddressRefused(`${bare} is ${REFUSED_ADDRESS}`);
  }
}

/** Where a program on this machine connects: a wildcard address is not one to dial. */
export function hostToDial(listening: string): string {
  if (listening === "0.0.0.0") return "127.0.0.1";
  if (listening === "::") return "[::1]";
  return listening.includes(":") ? `[${listening}]` : listening;
}
