// The admin API behind the local socket: what verbs ask of a running doorless. Each question is
// recorded with the operating-system user, marked as not verified by the identity provider.
import { z } from "zod";
import type { Gate } from "../gate/gate.ts";
import { refusalToError } from "../kernel/errors.ts";
import type { ErrorCode } from "../kernel/errors.ts";
import { Secret } from "../kernel/secret.ts";
import type { Keyring } from "../ledger/keyring.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Sealer } from "../ledger/mark.ts";
import { NO_NARROWING } from "../policy/surface.ts";
import type { Connections } from "../delegation/connections.ts";
import type { Vault } from "../delegation/vault.ts";
import { createAuditDesk, note, toolAsked } from "./audit-desk.ts";
import { createConnectionsDesk } from "./connections-desk.ts";
import type { Answer } from "./local.ts";
import { BadQuestion, personNamed, personWithClaims } from "./people.ts";
import { askExplain, askSurface, askWho, mustBeAgent } from "./questions.ts";
import { createSessionDesk } from "./session-desk.ts";
import type { SessionDeskOptions } from "./session-desk.ts";
import { createStateDesk } from "./state-desk.ts";
import type { House } from "./house.ts";

const whoSchema = z.union([
  z.strictObject({ as: z.string().min(1) }),
  z.strictObject({ claims: z.unknown() }),
]);
const asked = { os_user: z.string().max(100) };
const questions = {
  "/surface": z.strictObject({ ...asked, agent: z.string(), who: whoSchema }),
  "/explain": z.strictObject({
    ...asked,
    agent: z.string(),
    who: whoSchema,
    tool: z.string().optional(),
    args: z.unknown().optional(),
  }),
  "/who": z.strictObject({ ...asked, tool: z.string() }),
  "/dry-run": z.strictObject({
    ...asked,
    agent: z.string(),
    token: z.string(),
    tool: z.string(),
    args: z.record(z.string(), z.unknown()),
  }),
} as const;

export interface AdminOptions extends SessionDeskOptions {
  /** The configuration, catalogue and policy in force. */
  readonly house: () => House;
  readonly gate: Gate;
  readonly ledger: Ledger;
  readonly sealer: Sealer;
  readonly keyring: Keyring;
  readonly connections: Connections;
  readonly vault: Vault;
  readonly version: string;
}

/** Answers the questions of the local socket. */
export function createAdmin(options: AdminOptions): Answer {
  const desks = {
    ...createAuditDesk(options),
    ...createSessionDesk(options),
    ...createConnectionsDesk(options),
    ...createStateDesk(options),
  };
  const stopOf = (name: string): ErrorCode | undefined => {
    const tool = options.house().catalog.tools.get(name);
    return tool && options.gate.stopOn(tool)?.code;
  };
  return async (path, body) => {
    if (Object.hasOwn(desks, path)) return desks[path as keyof typeof desks](body);
    if (!Object.hasOwn(questions, path)) throw new BadQuestion(`no such question: ${path}`);
    switch (path as keyof typeof questions) {
      case "/surface": {
        const { agent, who, os_user } = questions["/surface"].parse(body);
        await note(options.ledger, "surface", os_user, { agent, who });
        return askSurface(options.house(), agent, someone(options.house(), who), stopOf);
      }
      case "/explain": {
        const { agent, who, tool, args, os_user } = questions["/explain"].parse(body);
        const named = tool === undefined ? {} : { tool: toolAsked(options, tool) };
        await note(options.ledger, "explain", os_user, { agent, who, ...named });
        const person = someone(options.house(), who);
        return askExplain(options.house(), agent, person, tool, args, stopOf);
      }
      case "/who": {
        const { tool, os_user } = questions["/who"].parse(body);
        await note(options.ledger, "explain", os_user, { tool: toolAsked(options, tool) });
        return askWho(options.house(), tool);
      }
      case "/dry-run": {
        const question = questions["/dry-run"].parse(body);
        const tool = toolAsked(options, question.tool);
        await note(options.ledger, "call --dry-run", question.os_user, { tool });
        return dryRun(options, question);
      }
    }
  };
}

function someone({ config }: House, who: z.infer<typeof whoSchema>) {
  return "as" in who ? personNamed(config, who.as) : personWithClaims(config, who.claims);
}

async function dryRun(
  { gate, house }: AdminOptions,
  question: z.infer<(typeof questions)["/dry-run"]>,
): Promise<unknown> {
  const { agent, token, tool, args } = question;
  mustBeAgent(house(), agent);
  const entered = await gate.enter(new Secret(token), agent, NO_NARROWING);
  if (!entered.ok) return { not_entered: refusalToError(entered.refusal) };
  const signal = new AbortController().signal;
  const rest = { traceparent: undefined, idempotency_key: undefined, signal };
  return gate.dryRun(entered.value, { tool, args, ...rest });
}
