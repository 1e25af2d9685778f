// What step 4 asks of the policy, and asks again when another one has taken its place meanwhile.
import { refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import type { Forbidden, Verdict } from "../policy/grant.ts";
import type { Facts } from "../policy/says.ts";
import { narrow } from "../policy/surface.ts";
import { whoIn } from "../policy/who.ts";
import type { CallContext, Entry, Rooms, Shadowed } from "./call.ts";

// What rules may ask beside the arguments.
export function factsOf({ clock, answers }: Rooms, { entry }: CallContext): Facts {
  const { id } = entry.session;
  return {
    who: whoIn(entry.credential),
    now_ms: clock.now(),
    seen: (source, value) => answers.rowsWith(id, source, value),
  };
}

export function notAllowed(forbidden: readonly Forbidden[]): Refusal {
  const said = forbidden.map(({ path, allowed }) => {
    const where = path === "" ? "the call" : path;
    return allowed === undefined ? `${where}: this value is not allowed` : `${where}: ${allowed}`;
  });
  return refusal("argument_not_allowed", {
    reason: `${said.join("; ")}.`,
    details: { arguments: forbidden },
  });
}

/** The same entry, under the policy in force. */
export function judgedNow(rooms: Pick<Rooms, "policy">, entry: Entry): Entry {
  const policy = rooms.policy();
  if (policy === entry.policy) return entry;
  const { credential, narrowing } = entry;
  const surface = narrow(policy.surface(whoIn(credential), credential.agent), narrowing);
  return { ...entry, surface, policy };
}

/** Why a call that was allowed may not go on, where the policy has changed since. */
export function rejudged(
  rooms: Rooms,
  call: CallContext,
  before: Verdict | undefined,
): Refusal | undefined {
  const now = judgedNow(rooms, call.entry);
  if (now === call.entry) return undefined;
  const verdict = now.surface.get(call.tool)?.judge(call.args, factsOf(rooms, call));
  const approved = before?.allowed === true && before.approve !== undefined;
  if (verdict?.allowed === true && (verdict.approve === undefined || approved)) return undefined;
  const reason = "The policy was changed meanwhile, and no longer allows this call.";
  return refusal("access_revoked", { reason });
}

/** What the policy that is tried out would do where the one in force allows. */
export function shadowOf(
  rooms: Rooms,
  call: CallContext,
  verdict: Verdict & { allowed: true },
): Shadowed | undefined {
  const tried = rooms.shadow();
  if (tried === undefined) return undefined;
  const { credential } = call.entry;
  const policy = tried.hash;
  const door = tried.surface(whoIn(credential), credential.agent).get(call.tool);
  if (door === undefined) return { would: "hide", rule: null, policy };
  const { allowed, rule, ...rest } = door.judge(call.args, factsOf(rooms, call));
  if (!allowed) return { would: "refuse", rule, policy };
  const asks = "approve" in rest && rest.approve !== undefined && verdict.approve === undefined;
  return asks ? { would: "ask a human", rule, policy } : undefined;
}
