/** Everything the SaaS offers under one contract version, ready to route and to document. */

import { analyticsOperations, analyticsSchemas } from "./analytics.ts";
import { billingOperations, billingSchemas } from "./billing.ts";
import { crmOperations, crmSchemas } from "./crm.ts";
import { mailOperations, mailSchemas } from "./mail.ts";
import type { ContractVersion, Input, JsonSchema, Operation } from "./operation.ts";
import { ticketOperations, ticketSchemas } from "./tickets.ts";
import { bodyReader, type BodyReader, parameterReader } from "./validation.ts";

export interface Route {
  readonly operation: Operation;
  readonly pattern: RegExp;
  readonly readParameters: (url: URL, path: Readonly<Record<string, string>>) => Input;
  readonly readBody: BodyReader | undefined;
}

export interface Contract {
  readonly version: ContractVersion;
  readonly routes: readonly Route[];
  readonly schemas: Readonly<Record<string, JsonSchema>>;
}

export function buildContract(version: ContractVersion): Contract {
  const operations = [
    ...crmOperations(version),
    ...ticketOperations(version),
    ...billingOperations(),
    ...mailOperations(),
    ...analyticsOperations(),
  ];
  return {
    version,
    routes: operations.map(toRoute),
    schemas: {
      ...crmSchemas(version),
      ...ticketSchemas(version),
      ...billingSchemas(),
      ...mailSchemas(),
      ...analyticsSchemas(),
    },
  };
}

function toRoute(operation: Operation): Route {
  const source = operation.path.replace(/\{(\w+)\}/g, "(?<$1>[^/]+)");
  return {
    operation,
    pattern: new RegExp(`^${source}$`),
    readParameters: parameterReader(operation.parameters ?? {}),
    readBody: operation.body === undefined ? undefined : bodyReader(operation.body),
  };
}
