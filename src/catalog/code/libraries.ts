// What comes of calling a package: an app, a schema, or something that nobody here knows more of.
import { globalCall, runCallbacks } from "./builtins.ts";
import type { Machine } from "./machine.ts";
import { handedOn, heldAgainst, looksAt } from "./request.ts";
import { newRouter } from "./routers.ts";
import { typeboxCall } from "./typebox.ts";
import { list, UNKNOWN } from "./values.ts";
import type { At, Library, Value } from "./values.ts";
import { zodCall } from "./zod.ts";

type Call = (machine: Machine, name: string, args: readonly Value[], at: At) => Value | undefined;

const CALLS: readonly (readonly [RegExp, Call])[] = [
  [/^express$/, expressCall],
  [/^express-promise-router$/, (machine) => newRouter(machine, "express", false)],
  [/^fastify$/, fastifyCall],
  [/^hono(?:\/.+)?$|^@hono\/zod-openapi$/, honoCall],
  [/^hono-openapi(?:\/.+)?$/, (_machine, name, [of]) => (name === "resolver" ? of : undefined)],
  [/^zod(?:\/.+)?$|^@hono\/zod-openapi$/, zodCall],
  [/^@sinclair\/typebox$|^typebox$|^@fastify\/type-provider-typebox$/, typeboxCall],
  [/^@sinclair\/typebox\/value$|^typebox\/value$/, checkedByTypebox],
  [/^ajv(?:\/.+)?$/, compiledByAjv],
];

function expressCall(machine: Machine, name: string): Value | undefined {
  if (name === "") return newRouter(machine, "express", true);
  return name === "Router" ? newRouter(machine, "express", false) : undefined;
}

function fastifyCall(machine: Machine, name: string): Value | undefined {
  return /^(?:fastify|Fastify)?$/.test(name) ? newRouter(machine, "fastify", true) : undefined;
}

function honoCall(machine: Machine, name: string, args: readonly Value[]): Value | undefined {
  if (/^(?:Hono|OpenAPIHono)$|createApp$/.test(name)) return newRouter(machine, "hono", true);
  if (name === "createRoute") return args[0];
  return name.endsWith("createHandlers") ? list([...args]) : undefined;
}

// `Value.Parse(schema, request.body)`
function checkedByTypebox(machine: Machine, _name: string, args: readonly Value[], at: At) {
  const schema = args.find((one) => one.kind === "schema" || one.kind === "record");
  for (const one of schema === undefined ? [] : args) heldAgainst(machine, schema ?? one, one, at);
  return undefined;
}

// `ajv.compile(schema)(request.body)`
function compiledByAjv(machine: Machine, name: string, args: readonly Value[], at: At) {
  const [schema = UNKNOWN, what] = args;
  if (name.endsWith("validate") && what !== undefined) heldAgainst(machine, schema, what, at);
  return undefined;
}

const SCHEMA_CALLS = /\.compile\(\)$/;
/** Packages that an app is handed to only so that it can be asked. */
const HOSTS = new RegExp(
  "^(?:node:)?https?2?$|^@hono/node-server|^hono/|supertest|serverless|^@fastify/aws-lambda" +
    "|^@sentry/|light-my-request|^socket\\.io|^ws$|^@vercel/|^@codegenie/|^spdy$" +
    "|terminus|shutdown",
);

/** `of(…args)`, or `new of(…args)`. */
export function libraryCall(machine: Machine, of: Library, args: readonly Value[], at: At): Value {
  if (of.from === "global" || /^(?:node:(?:path|url|fs)|desm)$/.test(of.from)) {
    const value = globalCall(machine, of, args, at);
    if (value !== undefined) return value;
  }
  const name = of.name.replace(/^(?:default|express)(?:\.|$)/, "");
  for (const [from, call] of CALLS) {
    const value = from.test(of.from) ? call(machine, name, args, at) : undefined;
    if (value !== undefined) return value;
  }
  otherwise(machine, of, args, at);
  return { kind: "library", from: of.from, name: `${of.name}()`, args };
}

// A name that nobody declares may be a function of the service's all the same.
function isOfLanguage({ from, name }: Library): boolean {
  const own = /^(?:console|Object|Promise|Boolean|JSON|Reflect|Bun|Deno|process|set\w+)\b/;
  return from === "global" && own.test(name);
}

function otherwise(machine: Machine, of: Library, args: readonly Value[], at: At): void {
  const [first, what] = [of.args[0], args[0]];
  const isCompiled = SCHEMA_CALLS.test(of.name) && first !== undefined && what !== undefined;
  if (isCompiled) heldAgainst(machine, first, what, at);
  else if (of.from !== "global") looksAt(machine, of.name, args, at);
  handedOn(args);
  if (args.some((one) => one.kind === "router")) {
    machine.hosting.add(at.node);
    const called = of.name === "" ? of.from : `${of.from} ${of.name}`;
    if (!HOSTS.test(of.from) && !isOfLanguage(of)) machine.say("app_given_away", at, called);
  }
  if (of.from !== "global" && of.from !== "node:path") runCallbacks(machine, args, at);
}
