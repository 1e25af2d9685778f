// The slice of an API that one tool relies on: its operation, what the schemas of that reach, the
// server and how it is protected. It is what a human approves, and what drift is judged by.
import { fingerprint } from "../kernel/ids.ts";
import { digest } from "./digest.ts";
import { preferredMedia } from "./media.ts";
import { operationIn } from "./operation.ts";
import type { Found } from "./operation.ts";
import type { Projection } from "./projection.ts";
import { bodyIn, parametersIn, responsesIn } from "./exchange.ts";
import type { Body, Parameter, Responses } from "./exchange.ts";
import { textOf } from "./raw.ts";
import type { Raw } from "./raw.ts";
import { SchemaReader } from "./reader.ts";
import { reached, restrict } from "./restrict.ts";
import { securityIn, serversIn } from "./protection.ts";
import type { Alternative } from "./protection.ts";
import type { Defs, Shape } from "./shape.ts";

/** Where the document came from, and which of its states it was. */
interface Source {
  readonly from: string;
  readonly sha256: string;
  readonly version: string;
  readonly retrieved: string;
}

export interface Slice {
  readonly format: 1;
  readonly source: Source;
  /** `GET /x/{id}`: path parameters keep the names of this. */
  readonly operation: string;
  readonly server: readonly string[];
  /** Any one of these lets a caller in; none at all is open to everybody. */
  readonly security: readonly Alternative[];
  readonly deprecated?: true;
  readonly sunset?: string;
  readonly request: {
    readonly parameters: readonly Parameter[];
    readonly body?: Body;
    readonly $defs: Defs;
  };
  readonly response: { readonly statuses: Responses; readonly $defs: Defs };
}

/** Each equal where nothing that a caller notices has changed. */
export interface SliceHashes {
  readonly request: string;
  readonly response: string;
  readonly server: string;
  readonly security: string;
}

export interface SliceOptions {
  readonly source: Omit<Source, "version">;
  /** The fields that the tool returns: the response's side is cut down to them. */
  readonly projection?: Projection;
}

/** Cuts one operation out of a parsed document; throws `SliceError` where it cannot. */
export function sliceOf(document: Raw, operation: string, options: SliceOptions): Slice {
  const found = operationIn(document, operation);
  const { from, sha256, retrieved } = options.source;
  const version = textOf(found.info, "version") ?? "";
  const sunset = textOf(found.node, "x-sunset");
  return {
    format: 1,
    source: { from, sha256, version, retrieved },
    operation,
    server: serversIn(found),
    security: securityIn(found),
    ...(found.node["deprecated"] === true ? { deprecated: true } : {}),
    ...(sunset === undefined ? {} : { sunset }),
    request: requestIn(found),
    response: responseIn(found, options.projection),
  };
}

function requestIn(found: Found): Slice["request"] {
  const reader = new SchemaReader(found.document, "request");
  const parameters = parametersIn(found, reader);
  const body = bodyIn(found, reader);
  return {
    parameters,
    ...(body === undefined ? {} : { body }),
    $defs: reader.definitions(),
  };
}

function responseIn(found: Found, projection: Projection | undefined): Slice["response"] {
  const reader = new SchemaReader(found.document, "response");
  const statuses = responsesIn(found, reader);
  const defs = reader.definitions();
  if (projection === undefined) return { statuses, $defs: defs };
  const cut: Record<string, Responses[string]> = {};
  for (const [status, response] of Object.entries(statuses)) {
    const media = preferredMedia(Object.keys(response.content));
    const shape = media === undefined ? undefined : response.content[media];
    cut[status] = {
      ...response,
      content:
        media === undefined || shape === undefined
          ? {}
          : { [media]: restrict(shape, defs, projection) },
    };
  }
  return { statuses: cut, $defs: reached(shapesOf(cut), defs) };
}

/** The schemas of what is answered. */
export function shapesOf(statuses: Responses): readonly Shape[] {
  return Object.values(statuses).flatMap(({ content }) => Object.values(content));
}

/** The schemas of what is sent. */
export function sentShapes({ request }: Slice): readonly Shape[] {
  const bodies = Object.values(request.body?.content ?? {});
  return [...request.parameters, ...bodies].map(({ schema }) => schema);
}

export function hashesOf(slice: Slice): SliceHashes {
  const { request, response } = slice;
  const { parameters, body } = request;
  const coloured = (colour: (shape: Shape) => string) => ({
    operation: slice.operation,
    deprecated: slice.deprecated ?? false,
    sunset: slice.sunset ?? "",
    parameters: parameters.map((one) => ({ ...one, schema: colour(one.schema) })),
    ...(body === undefined ? {} : { body: colouredBody(body, colour) }),
  });
  const answered = (colour: (shape: Shape) => string) =>
    Object.entries(response.statuses).map(([status, { content, headers }]) => [
      status,
      headers,
      Object.entries(content).map(([media, shape]) => [media, colour(shape)]),
    ]);
  return {
    request: digest({ roots: sentShapes(slice), defs: request.$defs }, coloured),
    response: digest({ roots: shapesOf(response.statuses), defs: response.$defs }, answered),
    server: fingerprint(slice.server),
    security: fingerprint(slice.security),
  };
}

function colouredBody({ required, content }: Body, colour: (shape: Shape) => string): unknown {
  const types = Object.entries(content).map(([media, { schema, encoding }]) => [
    media,
    colour(schema),
    encoding ?? {},
  ]);
  return { required, types };
}
