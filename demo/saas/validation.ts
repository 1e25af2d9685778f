/** Requests are checked against the very schemas that the OpenAPI document shows. */

import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import { ApiError } from "./api-error.ts";
import { type Input, type JsonSchema, object, type Parameter } from "./operation.ts";

export type BodyReader = (text: string) => Input;

const ajv = new Ajv2020({
  strict: false,
  formats: {
    date: /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/,
    "date-time": true,
    email: /^[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){1,4}$/,
  },
});

export function parameterReader(
  parameters: Readonly<Record<string, Parameter>>,
): (url: URL, path: Readonly<Record<string, string>>) => Input {
  const schemas = Object.entries(parameters).map(([name, { schema }]) => [name, schema] as const);
  const integers = new Set(schemas.flatMap(([name, { type }]) => (type === "integer" ? name : [])));
  const optional = schemas.map(([name]) => name).filter((name) => parameters[name]?.in !== "path");
  const check = ajv.compile(object(Object.fromEntries(schemas), optional));

  return (url, path) => {
    const named = [...url.searchParams.keys()];
    const repeated = named.find((name, index) => named.indexOf(name) !== index);
    if (repeated !== undefined) throw invalid(repeated, "is given more than once");
    const given = [...url.searchParams, ...Object.entries(path)].map(([name, text]) => {
      const is_number = integers.has(name) && /^\d{1,9}$/.test(text);
      return [name, is_number ? Number(text) : text] as const;
    });
    return checked(check, Object.fromEntries(given));
  };
}

export function bodyReader(schema: JsonSchema): BodyReader {
  const check = ajv.compile(schema);
  return (text) => {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw new ApiError(400, "invalid_json", "The body is not JSON.");
    }
    return checked(check, value);
  };
}

function checked(check: ValidateFunction, value: unknown): Input {
  if (check(value)) return value as Input;
  const [first] = check.errors ?? [];
  throw first === undefined ? invalid("", "is not valid") : describe(first);
}

function describe({ instancePath, keyword, params, message }: ErrorObject): ApiError {
  const inside = instancePath.slice(1).replaceAll("/", ".");
  if (keyword === "required") return invalid(String(params["missingProperty"]), "is required");
  if (keyword === "additionalProperties") {
    return invalid(String(params["additionalProperty"]), "is not known here");
  }
  return invalid(inside, message ?? "is not valid");
}

function invalid(field: string, problem: string): ApiError {
  return new ApiError(422, "invalid", `${field || "The body"} ${problem}.`, field);
}
