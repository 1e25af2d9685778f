// One change of the small API each, with what must be found, gravest first.
import type { Handles, Loose } from "./drift-api.ts";

export type Change = (api: Handles) => void;

const addParameter =
  (parameter: Loose): Change =>
  ({ operation }) => {
    operation.parameters.push(parameter);
  };
const text = { type: "string" };

const TOKEN = "/security/oauth2/authorizationCode.token";

export const MUTATIONS: readonly (readonly [string, Change, ...string[]])[] = [
  [
    "the operation is gone",
    ({ item }) => delete item.post,
    "break api-removed-without-deprecation ",
  ],
  [
    "the path is renamed",
    ({ document }) => {
      document.paths = { "/books": {} };
    },
    "break api-path-removed-without-deprecation ",
  ],
  [
    "a required parameter is new",
    addParameter({ name: "dry", in: "query", required: true, schema: text }),
    "break new-required-request-parameter /query/dry",
  ],
  [
    "a required header is new",
    addParameter({ name: "X-Org", in: "header", required: true, schema: text }),
    "break new-required-request-header-property /header/x-org",
  ],
  [
    "an optional parameter is new",
    addParameter({ name: "dry", in: "query", schema: text }),
    "info new-optional-request-parameter /query/dry",
  ],
  [
    "a parameter becomes required",
    ({ parameter }) => {
      parameter("sort").required = true;
    },
    "break request-parameter-became-required /query/sort",
  ],
  [
    "a parameter is removed",
    ({ operation }) => operation.parameters.splice(2, 1),
    "warn request-parameter-removed /query/sort",
  ],
  [
    "a parameter moves into a header",
    ({ parameter }) => {
      parameter("sort").in = "header";
    },
    "break request-parameter-serialization-changed /query/sort",
    "info new-optional-request-parameter /header/sort",
  ],
  [
    "a list is written in another style",
    ({ parameter }) => {
      parameter("fields").explode = true;
    },
    "break request-parameter-serialization-changed /query/fields",
  ],
  [
    "a parameter is deprecated",
    ({ parameter }) => {
      parameter("sort").deprecated = true;
    },
    "warn request-parameter-deprecated /query/sort",
  ],
  [
    "a parameter's maximum goes down",
    ({ parameter }) => {
      parameter("limit").schema.maximum = 50;
    },
    "break request-parameter-max-decreased /query/limit",
  ],
  [
    "a parameter's default changes",
    ({ parameter }) => {
      parameter("limit").schema.default = 10;
    },
    "break request-parameter-default-value-changed /query/limit",
  ],
  [
    "a parameter's value goes",
    ({ parameter }) => parameter("sort").schema.enum.pop(),
    "break request-parameter-enum-value-removed /query/sort",
  ],
  [
    "the body becomes required",
    ({ operation }) => {
      operation.requestBody.required = true;
    },
    "break request-body-became-required /body",
  ],
  [
    "the body is gone",
    ({ operation }) => delete operation.requestBody,
    "break request-body-removed /body",
  ],
  [
    "the body's media type changes",
    ({ operation }) => {
      const { content } = operation.requestBody;
      operation.requestBody.content = { "application/xml": content["application/json"] };
    },
    "break request-body-media-type-removed /body",
    "info request-body-media-type-added /body",
  ],
  [
    "a required property is new",
    ({ input }) => {
      input.properties.lang = text;
      input.required.push("lang");
    },
    "break new-required-request-property /body/lang",
  ],
  [
    "a property becomes required",
    ({ input }) => input.required.push("pages"),
    "break request-property-became-required /body/pages",
  ],
  [
    "a property is removed",
    ({ input }) => delete input.properties.isbn,
    "warn request-property-removed /body/isbn",
  ],
  [
    "a property's type changes",
    ({ input }) => {
      input.properties.pages = text;
    },
    "break request-property-type-changed /body/pages",
    "info request-property-max-unset /body/pages",
    "info request-property-min-unset /body/pages",
  ],
  [
    "a property's types get fewer",
    ({ input }) => {
      input.properties.title.type = ["string", "integer"];
    },
    "info request-property-list-of-types-widened /body/title",
  ],
  [
    "a property must not be null any more",
    ({ input }) => {
      input.properties.subtitle = text;
    },
    "break request-property-became-not-nullable /body/subtitle",
  ],
  [
    "a property gets listed values",
    ({ input }) => {
      input.properties.title.enum = ["a"];
    },
    "break request-property-became-enum /body/title",
  ],
  [
    "a property gets one value",
    ({ input }) => {
      input.properties.title.const = "a";
    },
    "break request-property-const-added /body/title",
  ],
  [
    "a property's length goes down",
    ({ input }) => {
      input.properties.title.maxLength = 100;
    },
    "break request-property-max-length-decreased /body/title",
  ],
  [
    "a property's minimum goes up",
    ({ input }) => {
      input.properties.pages.minimum = 2;
    },
    "break request-property-min-increased /body/pages",
  ],
  [
    "a bound is new",
    ({ input }) => {
      input.properties.isbn.maxLength = 13;
    },
    "warn request-property-max-length-set /body/isbn",
  ],
  [
    "a pattern is new",
    ({ input }) => {
      input.properties.title.pattern = "^[A-Z]";
    },
    "break request-property-pattern-added /body/title",
  ],
  [
    "a pattern changes",
    ({ input }) => {
      input.properties.isbn.pattern = "^[0-9]{10}$";
    },
    "warn request-property-pattern-changed /body/isbn",
  ],
  [
    "undeclared properties are refused",
    ({ input }) => {
      input.additionalProperties = false;
    },
    "break request-additional-properties-forbidden /body",
  ],
  [
    "an alternative of a request goes",
    ({ input }) => {
      input.properties.price.oneOf.push({ type: "integer" });
    },
    "info request-property-one-of-added /body/price/oneOf:2",
  ],
  [
    "a condition is new",
    ({ input }) => {
      input.not = { required: ["isbn"] };
    },
    "break request-body-not-added /body",
  ],
  [
    "a nested property becomes required",
    ({ schemas }) => {
      schemas.Publisher.required = ["name"];
    },
    "break request-property-became-required /body/publisher/name",
  ],
  [
    "text is encoded",
    ({ input }) => {
      input.properties.title.contentEncoding = "base64";
    },
    "break request-property-content-encoding-changed /body/title",
  ],
  [
    "the success status changes",
    ({ operation }) => {
      operation.responses["202"] = operation.responses["200"];
      delete operation.responses["200"];
    },
    "break response-success-status-removed /200",
    "info response-success-status-added /202",
  ],
  [
    "the answer's media type changes",
    ({ operation }) => {
      const { content } = operation.responses["200"];
      operation.responses["200"].content = { "text/csv": content["application/json"] };
    },
    "break response-media-type-removed /200",
    "info response-media-type-added /200",
  ],
  [
    "a required field goes",
    ({ output }) => {
      delete output.properties.id;
      output.required = ["title", "state"];
    },
    "break response-required-property-removed /200/body/id",
  ],
  [
    "an optional field goes",
    ({ output }) => delete output.properties.note,
    "warn response-optional-property-removed /200/body/note",
  ],
  [
    "the way to the next page goes",
    ({ output }) => delete output.properties.next_cursor,
    "break pagination-field-removed /200/body/next_cursor",
  ],
  [
    "a field becomes optional",
    ({ output }) => output.required.shift(),
    "break response-property-became-optional /200/body/id",
  ],
  [
    "a field becomes nullable",
    ({ output }) => {
      output.properties.title.type = ["string", "null"];
    },
    "break response-property-became-nullable /200/body/title",
  ],
  [
    "a field's type changes",
    ({ output }) => {
      output.properties.id = text;
    },
    "break response-property-type-changed /200/body/id",
  ],
  [
    "a field gets more types",
    ({ output }) => {
      output.properties.id.type = ["integer", "string"];
    },
    "break response-property-list-of-types-widened /200/body/id",
  ],
  [
    "a field has one more value",
    ({ output }) => output.properties.state.enum.push("lost"),
    "warn response-property-enum-value-added /200/body/state",
  ],
  [
    "a field has one more alternative",
    ({ output }) => {
      output.properties.price.anyOf.push({ type: "integer" });
    },
    "break response-property-any-of-added /200/body/price/anyOf:2",
  ],
  [
    "a field is new",
    ({ output }) => {
      output.properties.isbn = text;
    },
    "info response-optional-property-added /200/body/isbn",
  ],
  [
    "a field is deprecated",
    ({ output }) => {
      output.properties.note.deprecated = true;
    },
    "warn response-property-deprecated /200/body/note",
  ],
  [
    "a field deep in a cycle changes",
    ({ schemas }) => {
      schemas.Shelf.properties.name = {};
    },
    "break response-property-list-of-types-widened /200/body/shelf/name",
  ],
  [
    "a header that tools use goes",
    ({ operation }) => delete operation.responses["200"].headers,
    "break required-response-header-removed /200/header/link",
  ],
  [
    "the server changes",
    ({ document }) => {
      document.servers[0].url = "https://api.other.test/v1";
    },
    "critical server-url-changed /server",
  ],
  [
    "the base path changes",
    ({ document }) => {
      document.servers[0].url += "beta";
    },
    "critical server-url-changed /server",
  ],
  [
    "a scope is added",
    ({ operation }) => {
      operation.security = [{ login: ["books", "admin"] }];
    },
    "critical api-security-scope-added /security/oauth2/admin",
  ],
  [
    "a scope is swapped",
    ({ operation }) => {
      operation.security = [{ login: ["admin"] }];
    },
    "critical api-security-scope-added /security/oauth2/admin",
    "info api-security-scope-removed /security/oauth2/books",
  ],
  [
    "the token address changes",
    ({ document }) => {
      document.components.securitySchemes.login.flows.authorizationCode.tokenUrl =
        "https://x.test/";
    },
    `critical api-security-component-oauth-token-url-changed ${TOKEN}`,
  ],
  [
    "the credential is of another kind",
    ({ document }) => {
      document.components.securitySchemes.login = { type: "http", scheme: "basic" };
    },
    "critical api-security-component-type-changed /security/oauth2",
  ],
  [
    "the operation is deprecated",
    ({ operation }) => {
      operation.deprecated = true;
    },
    "warn endpoint-deprecated ",
  ],
];
