// What the project promises so far, one id each. Tests cite ids with `verifies(id, ...)`;
// test/pins/requirements.test.ts fails on an id that no test cites, and on a citation of no id.
import { approval } from "./requirements/approval.ts";
import * as boundary from "./requirements/boundary.ts";
import { contract } from "./requirements/contract.ts";
import { connections, signIn, vault } from "./requirements/connections.ts";
import { imports } from "./requirements/import.ts";
import * as outside from "./requirements/outside.ts";
import * as code from "./requirements/code.ts";
import { policy } from "./requirements/policy.ts";
import { resend } from "./requirements/resend.ts";
import { servers } from "./requirements/servers.ts";
import { tools } from "./requirements/tools.ts";
import type { Requirement } from "./requirements/requirement.ts";
import { upstream } from "./requirements/upstream.ts";

export const requirements = {
  ...outside.house,
  ...outside.config,
  ...outside.mcp,
  ...boundary.auth,
  ...boundary.identity,
  ...boundary.surface,
  ...policy,
  ...tools,
  ...boundary.broker,
  ...code.sandbox,
  ...servers,
  ...boundary.limits,
  ...boundary.ledger,
  ...boundary.revocation,
  ...connections,
  ...vault,
  ...signIn,
  ...approval,
  ...resend,
  ...contract,
  ...imports,
  ...upstream,
  ...outside.demo,
  ...outside.errors,
  ...outside.cli,
  ...outside.badInput,
} satisfies Record<string, Requirement>;

export type RequirementId = keyof typeof requirements;
