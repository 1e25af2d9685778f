// The rule table: what each kind of change means to a tool (docs/contracts.md, ADR "Drift").
// Names are oasdiff's wherever it has one; `{}` stands for parameter, body or property. What an
// API accepts must not shrink, what it answers must not grow: the rest follows from that.
import { LOWER, UPPER } from "./shape.ts";

/** critical: send no token there; break: the tool stops; warn: somebody looks; info: noted. */
export type Severity = "critical" | "break" | "warn" | "info";

type Rule = readonly [Severity, string];
type Table = Readonly<Record<string, Rule>>;

const OPERATION: Table = {
  "api-removed-without-deprecation": ["break", "the operation is gone"],
  "api-path-removed-without-deprecation": ["break", "the path is gone"],
  "api-removed-before-sunset": ["break", "the operation is gone, before its announced end"],
  "operation-method-changed": ["break", "a method that only reads takes a body now"],
  "operation-not-readable": ["break", "the operation cannot be read any more; needs review"],
  "endpoint-deprecated": ["warn", "the operation is deprecated"],
  "endpoint-deprecated-with-sunset": ["warn", "the operation is deprecated and has an end"],
  "endpoint-reactivated": ["info", "the operation is not deprecated any more"],
  "api-sunset-date-changed-too-small": ["warn", "the operation ends earlier"],
  "sunset-deleted": ["warn", "the operation's end was taken back without notice"],
  "api-sunset-date-changed": ["info", "the operation ends later"],
  "api-sunset-passed": ["break", "the operation's announced end has passed"],
  "too-many-changes": ["break", "more changes than are listed; needs review"],
};

// Of a tool of an MCP server. Its words count: who changes them without a word changed the rest.
const UPSTREAM: Table = {
  "mcp-endpoint-changed": ["critical", "the MCP server is another one, or somewhere else"],
  "mcp-tool-removed": ["break", "the MCP server does not have the tool any more"],
  "mcp-tool-title-changed": ["break", "its title changed"],
  "mcp-tool-description-changed": ["break", "its description changed"],
  "mcp-tool-input-changed": ["break", "what it takes changed"],
  "mcp-tool-output-changed": ["break", "what it answers changed"],
  "mcp-tool-execution-changed": ["break", "how it is run changed"],
  "mcp-tool-annotations-changed": ["break", "what it says of its effects changed"],
};

const PROTECTION: Table = {
  "server-url-changed": ["critical", "the API is served from somewhere else"],
  "server-url-added": ["info", "the API is served from one more place"],
  "api-security-scope-added": ["critical", "one more scope is asked for"],
  "api-security-scope-removed": ["info", "one scope less is asked for"],
  "api-security-removed": ["critical", "a way to be let in is gone"],
  "api-security-added": ["info", "there is one more way to be let in"],
  "api-security-component-type-changed": ["critical", "the kind of credential changed"],
  "api-security-component-oauth-token-url-changed": ["critical", "the token address changed"],
  "api-security-component-oauth-url-changed": ["critical", "the authorization address changed"],
  "api-security-component-openid-url-changed": ["critical", "the provider's address changed"],
  "api-security-component-oauth-flow-added": ["info", "there is one more OAuth flow"],
};

const REQUEST: Table = {
  "new-required-request-parameter": ["break", "a new parameter must be sent"],
  "new-required-request-default-parameter-to-existing-path": [
    "break",
    "a new parameter must be sent, although it has a default",
  ],
  "new-required-request-header-property": ["break", "a new header must be sent"],
  "new-request-path-parameter": ["break", "the path has a new parameter"],
  "new-optional-request-parameter": ["info", "a new parameter may be sent"],
  "request-parameter-became-required": ["break", "the parameter must be sent now"],
  "request-parameter-became-optional": ["info", "the parameter may be left out now"],
  "request-parameter-removed": ["warn", "the parameter is gone"],
  "request-parameter-serialization-changed": ["break", "it is written in another way or place"],
  "request-parameter-deprecated": ["warn", "the parameter is deprecated"],
  "request-parameter-reactivated": ["info", "the parameter is not deprecated any more"],
  "request-parameter-default-value-added": ["break", "leaving it out means something now"],
  "request-parameter-default-value-changed": ["break", "leaving it out means something else"],
  "request-parameter-default-value-removed": ["break", "leaving it out means nothing any more"],
  "request-body-added-required": ["break", "a body must be sent now"],
  "request-body-added-optional": ["info", "a body may be sent now"],
  "request-body-removed": ["break", "there is no body any more"],
  "request-body-became-required": ["break", "the body must be sent now"],
  "request-body-became-optional": ["info", "the body may be left out now"],
  "request-body-media-type-removed": ["break", "the body's media type is not accepted any more"],
  "request-body-media-type-added": ["info", "one more media type is accepted"],
  "request-body-other-media-type-changed": ["info", "a media type that tools do not send changed"],
  "new-required-request-property": ["break", "a new property must be sent"],
  "new-required-request-property-with-default": ["info", "a new required property has a default"],
  "new-optional-request-property": ["info", "a new property may be sent"],
  "request-property-removed": ["warn", "the property is gone"],
  "request-property-became-required": ["break", "the property must be sent now"],
  "request-property-became-required-with-default": ["info", "it is required, and has a default"],
  "request-property-became-optional": ["info", "the property may be left out now"],
  "request-additional-properties-forbidden": ["break", "undeclared properties are refused now"],
  "request-additional-properties-narrowed": [
    "break",
    "undeclared properties must fit a schema now",
  ],
  "request-additional-properties-allowed": ["info", "undeclared properties are accepted now"],
  "request-{}-default-value-added": ["warn", "leaving it out means something now"],
  "request-{}-default-value-changed": ["warn", "leaving it out means something else"],
  "request-{}-default-value-removed": ["warn", "leaving it out means nothing any more"],
  "request-{}-deprecated": ["warn", "it is deprecated"],
  "request-{}-reactivated": ["info", "it is not deprecated any more"],
  "request-{}-type-changed": ["break", "its type or format changed"],
  "request-{}-type-generalized": ["info", "it accepts more types or formats"],
  "request-{}-list-of-types-narrowed": ["break", "it accepts fewer types"],
  "request-{}-list-of-types-widened": ["info", "it accepts more types"],
  "request-{}-became-nullable": ["info", "it may be null now"],
  "request-{}-became-not-nullable": ["break", "it must not be null any more"],
  "request-{}-became-enum": ["break", "it accepts listed values only"],
  "request-{}-enum-removed": ["info", "it accepts any value now"],
  "request-{}-enum-value-removed": ["break", "a value is not accepted any more"],
  "request-{}-enum-value-added": ["info", "one more value is accepted"],
  "request-{}-x-extensible-enum-value-removed": ["break", "a value is not accepted any more"],
  "request-{}-const-added": ["break", "it accepts one value only"],
  "request-{}-const-changed": ["break", "its one value is another"],
  "request-{}-const-removed": ["info", "it accepts other values now"],
  "request-{}-pattern-added": ["break", "it must match a pattern now"],
  "request-{}-pattern-changed": ["warn", "it must match another pattern"],
  "request-{}-pattern-removed": ["info", "it need not match a pattern any more"],
  "request-{}-all-of-added": ["break", "it must meet one more schema; needs review"],
  "request-{}-all-of-removed": ["warn", "it must meet one schema less"],
  "request-{}-any-of-removed": ["break", "an alternative is not accepted any more"],
  "request-{}-any-of-added": ["info", "one more alternative is accepted"],
  "request-{}-one-of-removed": ["break", "an alternative is not accepted any more"],
  "request-{}-one-of-added": ["info", "one more alternative is accepted"],
  "request-{}-choice-added": ["break", "it must be one of several now; needs review"],
  "request-{}-choice-removed": ["info", "it need not be one of several any more"],
  "request-{}-choice-changed": ["break", "it must fit exactly one of several; needs review"],
  "request-{}-prefix-items-removed": ["break", "the list has fewer fixed places"],
  "request-{}-prefix-items-added": ["info", "the list has more fixed places"],
  "request-{}-discriminator-changed": ["warn", "what tells the alternatives apart changed"],
};

const RESPONSE: Table = {
  "response-success-status-removed": ["break", "the success status is gone"],
  "response-success-status-added": ["info", "there is one more success status"],
  "response-media-type-removed": ["break", "the answer's media type is gone"],
  "response-media-type-name-generalized": ["break", "the answer may be of any media type"],
  "response-media-type-added": ["info", "there is one more media type"],
  "response-other-media-type-changed": ["info", "a media type that tools do not read changed"],
  "response-header-became-required": ["info", "a header that tools use is always there now"],
  "required-response-header-removed": ["break", "a header that tools use is gone"],
  "optional-response-header-removed": ["warn", "a header that tools may use is gone"],
  "response-header-became-optional": ["break", "a header that tools use may be missing"],
  "response-header-added": ["info", "there is one more header that tools may use"],
  "response-required-property-removed": ["break", "the property is gone"],
  "response-optional-property-removed": ["warn", "the property, always optional, is gone"],
  "pagination-field-removed": ["break", "what leads to the next page is gone"],
  "answer-not-as-agreed": ["break", "answers do not have the agreed shape"],
  "response-required-property-added": ["info", "there is a new property"],
  "response-optional-property-added": ["info", "there may be a new property"],
  "response-property-became-optional": ["break", "the property may be missing now"],
  "response-property-became-required": ["info", "the property is always there now"],
  "response-additional-properties-changed": ["info", "what else may be there changed"],
  "response-{}-deprecated": ["warn", "it is deprecated"],
  "response-{}-reactivated": ["info", "it is not deprecated any more"],
  "response-{}-type-changed": ["break", "its type or format changed"],
  "response-{}-type-specialized": ["info", "its type or format is narrower"],
  "response-{}-list-of-types-widened": ["break", "it may be of more types"],
  "response-{}-list-of-types-narrowed": ["info", "it is of fewer types"],
  "response-{}-became-nullable": ["break", "it may be null now"],
  "response-{}-became-not-nullable": ["info", "it is never null any more"],
  "response-{}-enum-value-added": ["warn", "it may have a value that was not there"],
  "response-{}-enum-value-removed": ["info", "it has fewer values"],
  "response-{}-enum-removed": ["warn", "it may have any value now"],
  "response-{}-became-enum": ["info", "it has listed values only"],
  "response-{}-x-extensible-enum-changed": ["info", "its known values changed"],
  "response-{}-const-removed": ["break", "it may have other values now"],
  "response-{}-const-changed": ["break", "its one value is another"],
  "response-{}-const-added": ["info", "it has one value only"],
  "response-{}-pattern-added": ["info", "it matches a pattern now"],
  "response-{}-pattern-changed": ["info", "it matches another pattern"],
  "response-{}-pattern-removed": ["info", "it need not match a pattern any more"],
  "response-{}-all-of-removed": ["break", "it meets one schema less; needs review"],
  "response-{}-all-of-added": ["info", "it meets one more schema"],
  "response-{}-any-of-added": ["break", "it may be something that it was not"],
  "response-{}-any-of-removed": ["info", "it is one of fewer alternatives"],
  "response-{}-one-of-added": ["break", "it may be something that it was not"],
  "response-{}-one-of-removed": ["info", "it is one of fewer alternatives"],
  "response-{}-choice-added": ["info", "it is one of several now"],
  "response-{}-choice-removed": ["break", "it need not be one of several; needs review"],
  "response-{}-choice-changed": ["info", "how many of several it fits changed"],
  "response-{}-prefix-items-added": ["break", "the list has more fixed places"],
  "response-{}-prefix-items-removed": ["info", "the list has fewer fixed places"],
  "response-{}-discriminator-changed": ["info", "what tells the alternatives apart changed"],
};

/** Keywords of which only "there or not" and "the same or not" is decided, and their names. */
export const CONSTRAINTS: ReadonlyMap<string, string> = new Map([
  ["not", "not"],
  ["if", "if"],
  ["then", "then"],
  ["else", "else"],
  ["contains", "contains"],
  ["dependentRequired", "dependent-required"],
  ["dependentSchemas", "dependent-schema"],
  ["propertyNames", "property-names"],
  ["unevaluatedItems", "unevaluated-items"],
  ["unevaluatedProperties", "unevaluated-properties"],
  ["contentSchema", "content-schema"],
  ["multipleOf", "multiple-of"],
  ["uniqueItems", "unique-items"],
]);
export const CONTENT = {
  contentEncoding: "content-encoding",
  contentMediaType: "content-media-type",
} as const;

function boundRules(): Table {
  const rules: Record<string, Rule> = {};
  const all = [
    ...Object.values(UPPER).map((name) => [name, "decreased", "increased"] as const),
    ...Object.values(LOWER).map((name) => [name, "increased", "decreased"] as const),
  ];
  for (const [name, tighter, looser] of all) {
    rules[`request-{}-${name}-${tighter}`] = ["break", "a bound is tighter"];
    rules[`request-{}-${name}-${looser}`] = ["info", "a bound is looser"];
    rules[`request-{}-${name}-set`] = ["warn", "there is a bound now"];
    rules[`request-{}-${name}-unset`] = ["info", "a bound is gone"];
    rules[`response-{}-${name}-${looser}`] = ["warn", "a bound is looser"];
    rules[`response-{}-${name}-${tighter}`] = ["info", "a bound is tighter"];
    rules[`response-{}-${name}-unset`] = ["warn", "a bound is gone"];
    rules[`response-{}-${name}-set`] = ["info", "there is a bound now"];
  }
  return rules;
}

function constraintRules(): Table {
  const rules: Record<string, Rule> = {};
  for (const name of [...CONSTRAINTS.values(), "pattern-property"]) {
    rules[`request-{}-${name}-added`] = ["break", "it must meet a condition now"];
    rules[`request-{}-${name}-changed`] = ["break", "a condition changed; needs review"];
    rules[`request-{}-${name}-removed`] = ["info", "a condition is gone"];
    rules[`response-{}-${name}-added`] = ["info", "it meets a condition now"];
    rules[`response-{}-${name}-changed`] = ["warn", "a condition changed"];
    rules[`response-{}-${name}-removed`] = ["warn", "a condition is gone"];
  }
  for (const name of Object.values(CONTENT)) {
    rules[`request-{}-${name}-changed`] = ["break", "its text is encoded in another way"];
    rules[`response-{}-${name}-changed`] = ["break", "its text is encoded in another way"];
  }
  return rules;
}

export const RULES: Table = {
  ...OPERATION,
  ...UPSTREAM,
  ...PROTECTION,
  ...REQUEST,
  ...RESPONSE,
  ...boundRules(),
  ...constraintRules(),
};
