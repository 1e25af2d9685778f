// Runs before every test file: a socket that would leave this machine throws instead.
// Child processes are out of its reach; what they may dial is what their own tests are about.
import { isIP, Socket } from "node:net";
import type { LookupFunction } from "node:net";

interface Destination {
  readonly host?: unknown;
  readonly path?: unknown;
  lookup?: LookupFunction;
}

type Connect = (this: Socket, ...args: unknown[]) => Socket;

const connect = Reflect.get(Socket.prototype, "connect") as Connect;

Socket.prototype.connect = function (this: Socket, ...args: unknown[]): Socket {
  guard(destinationOf(args));
  return connect.apply(this, args);
};

function guard(to: Destination): void {
  // A path is a Unix socket; without a host Node means localhost.
  if (typeof to.path === "string" || typeof to.host !== "string") return;
  const { host } = to;
  if (isLoopback(host)) return;
  const { lookup } = to;
  // Whoever brings his own look-up (the egress broker does) is judged by what it answers.
  if (lookup === undefined || isIP(host) !== 0) throw left(host);
  to.lookup = (name, options, done) => {
    lookup(name, options, (error, address, family) => {
      const addresses = Array.isArray(address) ? address.map((one) => one.address) : [address];
      const outside = error ? undefined : addresses.find((one) => !isLoopback(one));
      if (outside === undefined) done(error, address, family);
      else done(left(outside), address, family);
    });
  };
}

/** `connect` takes options, or port and host; Node's own callers hand over a normalised array. */
function destinationOf(args: unknown[]): Destination {
  const first = Array.isArray(args[0]) ? args[0][0] : args[0];
  if (typeof first === "object" && first !== null) return first as Destination;
  if (typeof first === "string" && !/^\d+$/.test(first)) return { path: first };
  return typeof args[1] === "string" ? { host: args[1] } : {};
}

function isLoopback(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, "").toLowerCase();
  if (isIP(name) === 0) return name === "localhost" || name.endsWith(".localhost");
  return name === "::1" || /^(::ffff:)?127\./.test(name);
}

function left(host: string): Error {
  return new Error(`a test tried to leave this machine: ${host}`);
}
