// The verbs by their words, in their order. Each is loaded when somebody types it: nobody waits for
// the others.
import type { Verb } from "./verb.ts";

const VERBS: Readonly<Record<string, () => Promise<Verb>>> = {
  "audit erase": async () => (await import("./audit-erase.ts")).auditErase,
  "audit export": async () => (await import("./audit-export.ts")).auditExport,
  "audit hash": async () => (await import("./audit-hash.ts")).auditHash,
  "audit hold": async () => (await import("./audit-hold.ts")).auditHold,
  "audit query": async () => (await import("./audit-query.ts")).auditQuery,
  "audit reindex": async () => (await import("./audit-reindex.ts")).auditReindex,
  "audit repair": async () => (await import("./audit-repair.ts")).auditRepair,
  "audit report": async () => (await import("./audit-report.ts")).auditReport,
  "audit show": async () => (await import("./audit-show.ts")).auditShow,
  "audit verify": async () => (await import("./audit-verify.ts")).auditVerify,
  call: async () => (await import("./call.ts")).call,
  "connections ls": async () => (await import("./connections.ts")).connectionsLs,
  "connections revoke": async () => (await import("./connections.ts")).connectionsRevoke,
  "contracts accept": async () => (await import("./contracts.ts")).contractsAccept,
  "contracts check": async () => (await import("./contracts.ts")).contractsCheck,
  "contracts update": async () => (await import("./contracts.ts")).contractsUpdate,
  demo: async () => (await import("./demo.ts")).demo,
  "demo set": async () => (await import("./demo.ts")).demoSet,
  "demo token": async () => (await import("./demo.ts")).demoToken,
  doctor: async () => (await import("./doctor.ts")).doctor,
  errors: async () => (await import("./errors.ts")).errors,
  explain: async () => (await import("./explain.ts")).explain,
  "keys rotate": async () => (await import("./keys-rotate.ts")).keysRotate,
  "lock add": async () => (await import("./lock.ts")).lockAdd,
  "lock ls": async () => (await import("./lock.ts")).lockLs,
  "lock rm": async () => (await import("./lock.ts")).lockRm,
  login: async () => (await import("./login.ts")).login,
  logout: async () => (await import("./logout.ts")).logout,
  plan: async () => (await import("./plan.ts")).plan,
  prove: async () => (await import("./prove.ts")).prove,
  schema: async () => (await import("./schema.ts")).schema,
  "sessions kill": async () => (await import("./sessions.ts")).sessionsKill,
  "sessions ls": async () => (await import("./sessions.ts")).sessionsLs,
  start: async () => (await import("./start.ts")).start,
  stdio: async () => (await import("./stdio.ts")).stdio,
  surface: async () => (await import("./surface.ts")).surface,
  "tools approve": async () => (await import("./tools-approve.ts")).toolsApprove,
  "tools import code": async () => (await import("./tools-import-code.ts")).toolsImportCode,
  "tools import mcp": async () => (await import("./tools-import-mcp.ts")).toolsImportMcp,
  "tools import openapi": async () => (await import("./tools-import.ts")).toolsImportOpenapi,
  "tools show": async () => (await import("./tools-show.ts")).toolsShow,
  "tools try": async () => (await import("./tools-try.ts")).toolsTry,
  "tools verify": async () => (await import("./tools-verify.ts")).toolsVerify,
  version: async () => (await import("./version.ts")).version,
  whoami: async () => (await import("./whoami.ts")).whoami,
};

/** The verb that `args` begin with. */
export async function verbOf(args: readonly string[]): Promise<Verb | undefined> {
  // By as many words as there are: `demo token` stands after `demo`.
  const found = Object.entries(VERBS).findLast(([name]) =>
    name.split(" ").every((word, i) => args[i] === word),
  );
  return found?.[1]();
}

/** All verbs; of a group (`audit`), those of that group. */
export function verbsUnder(group?: string): Promise<readonly Verb[]> {
  const start = group === undefined ? "" : `${group} `;
  const found = Object.entries(VERBS).filter(([name]) => name.startsWith(start));
  return Promise.all(found.map(([, load]) => load()));
}
