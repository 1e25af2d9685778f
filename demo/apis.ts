/** The SaaS's five APIs, their OAuth scopes, and which role may have which scope. */

export const API_SCOPES = {
  crm: ["crm:read", "crm:write"],
  tickets: ["tickets:read", "tickets:write"],
  billing: ["billing:read", "billing:write"],
  mail: ["mail:send"],
  analytics: ["analytics:read"],
} as const;

export type ApiName = keyof typeof API_SCOPES;
export type ApiScope = (typeof API_SCOPES)[ApiName][number];

export const API_NAMES = Object.keys(API_SCOPES) as readonly ApiName[];

// What the SaaS's owner told the identity provider about its roles. A role that is not here
// (auditor, operator) reaches no API at all.
const ROLE_SCOPES: Readonly<Record<string, readonly ApiScope[]>> = {
  support: ["crm:read", "tickets:read", "tickets:write", "billing:read", "billing:write"],
  sales: ["crm:read", "crm:write"],
  sales_manager: ["crm:read", "crm:write", "analytics:read"],
  admin: ["crm:read", "crm:write", "tickets:read", "billing:read", "billing:write"],
};

/** The scopes of one API that somebody with these roles may have. */
export function scopesFor(api: ApiName, roles: readonly string[]): ApiScope[] {
  const granted = new Set(roles.flatMap((role) => ROLE_SCOPES[role] ?? []));
  return API_SCOPES[api].filter((scope) => granted.has(scope));
}
