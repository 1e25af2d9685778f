/** The SaaS's own users and which rows each of them sees. It trusts no claim but the subject. */

import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { ApiError } from "./api-error.ts";

export interface User {
  readonly subject: string;
  readonly tenant: string;
  readonly team: string | null;
  readonly role: string;
}

/** A condition on rows; every one of them names the tenant, or matches nothing. */
export interface RowFilter {
  readonly where: string;
  readonly values: readonly SQLInputValue[];
}

const NOTHING: RowFilter = { where: "0", values: [] };

export function findUser(db: DatabaseSync, subject: string): User | undefined {
  const row = db
    .prepare("SELECT subject, tenant, team, role FROM user WHERE subject = ?")
    .get(subject);
  return row === undefined ? undefined : (row as unknown as User);
}

export function customersOf(user: User): RowFilter {
  return wholeTenant(user, ["support", "sales", "sales_manager", "admin"]);
}

export function ticketsOf(user: User): RowFilter {
  return wholeTenant(user, ["support", "admin"]);
}

export function invoicesOf(user: User): RowFilter {
  return wholeTenant(user, ["support", "admin"]);
}

/** Sellers: their own deals. Managers: their team's. */
export function dealsOf({ role, tenant, subject, team }: User): RowFilter {
  if (role === "sales") return { where: "tenant = ? AND owner = ?", values: [tenant, subject] };
  if (role === "sales_manager" && team !== null) {
    return { where: "tenant = ? AND team = ?", values: [tenant, team] };
  }
  return NOTHING;
}

/** For what a row filter cannot say: an act that only some roles may do at all. */
export function requireRole(user: User, roles: readonly string[], act: string): void {
  if (roles.includes(user.role)) return;
  throw new ApiError(403, "forbidden", `Your role may not ${act}.`);
}

function wholeTenant(user: User, roles: readonly string[]): RowFilter {
  return roles.includes(user.role) ? { where: "tenant = ?", values: [user.tenant] } : NOTHING;
}
