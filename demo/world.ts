/** The demo world: an identity provider, a small SaaS, and the levers that move them. */

import { mkdirSync } from "node:fs";
import type { Binding, Boundary } from "./boundary.ts";
import { createIdentityProvider } from "./idp/index.ts";
import { listen } from "./listener.ts";
import { createMailAccounts } from "./mail-accounts/index.ts";
import { createSaas } from "./saas/server.ts";

/** `revoke:PERSON restore:PERSON contract:1 contract:2 api:down api:up idp:down idp:up` */
type Lever = string;

export interface WorldOptions {
  /** A folder, made if need be; both services keep their state in it between runs. */
  data: string;
  /** 0 picks a free port. Always on 127.0.0.1. */
  issuer_port: number;
  api_port: number;
  mail_accounts_port: number;
  /** Where they were before: they are there again, where those ports are free. */
  before?: Pick<World, "issuer" | "api" | "mail_accounts"> | undefined;
  /** Agent name -> URL of its MCP endpoint, which is the audience of its tokens. */
  agents: Record<string, string>;
  /** The confidential client that may exchange people's tokens. */
  boundary: Boundary;
  /** Other providers whose people the SaaS lets in. */
  also_trusted?: readonly string[];
  /** The same, at the mail API's authorization server, where it connects people's mailboxes. */
  mail_client: { client_id: string; client_secret: string };
}

export interface World {
  issuer: string;
  api: string;
  /** Issuer of the mail API's own authorization server. */
  mail_accounts: string;
  /** A JWT access token as that person's public client would have got it. */
  mintToken(person: string, agent: string, ttl_s: number, binding?: Binding): Promise<string>;
  set(lever: Lever): Promise<void>;
  stop(): Promise<void>;
}

const portIn = (url?: string): number | undefined =>
  url === undefined ? undefined : Number(new URL(url).port);

export async function startWorld(options: WorldOptions): Promise<World> {
  const { data, agents, boundary, before } = options;
  mkdirSync(data, { recursive: true, mode: 0o700 });
  await using undo = new AsyncDisposableStack();

  const idp_listener = await listen(options.issuer_port, portIn(before?.issuer));
  undo.defer(() => idp_listener.down());
  const api_listener = await listen(options.api_port, portIn(before?.api));
  undo.defer(() => api_listener.down());
  const mail_listener = await listen(options.mail_accounts_port, portIn(before?.mail_accounts));
  undo.defer(() => mail_listener.down());
  const issuer = idp_listener.origin;
  const mail_accounts = mail_listener.origin;
  const api = api_listener.origin;

  const idp = await createIdentityProvider({ data, issuer, api, agents, boundary });
  undo.defer(() => idp.close());
  const mail = await createMailAccounts({
    data,
    issuer: mail_accounts,
    resource: `${api}/mail`,
    client: options.mail_client,
    redirect_uris: callbacksBeside(Object.values(agents)),
  });
  undo.defer(() => mail.close());
  const saas = createSaas({
    data,
    api,
    issuer,
    also_trusted: options.also_trusted ?? [],
    mail_issuer: mail_accounts,
    now: () => new Date(),
  });
  undo.defer(() => saas.close());
  idp_listener.serve(idp.handler);
  api_listener.serve(saas.handler);
  mail_listener.serve(mail.handler);

  // Last in, first out: no request outlives its database.
  const listeners = [idp_listener, api_listener, mail_listener];
  undo.defer(() => Promise.all(listeners.map((one) => one.down())).then(() => undefined));

  const levers = new Map<string, () => Promise<void> | void>([
    ["contract:1", () => saas.setContract(1)],
    ["contract:2", () => saas.setContract(2)],
    ["api:down", () => api_listener.down()],
    ["api:up", () => api_listener.up()],
    ["idp:down", () => idp_listener.down()],
    ["idp:up", () => idp_listener.up()],
  ]);
  const stack = undo.move();
  return {
    issuer,
    api,
    mail_accounts,
    mintToken: (person, agent, ttl_s, binding) => idp.mintToken(person, agent, ttl_s, binding),
    async set(lever) {
      const [verb, person = ""] = lever.split(":", 2);
      if (verb === "revoke") return idp.revoke(person);
      if (verb === "restore") return idp.restore(person);
      const pull = levers.get(lever);
      if (pull === undefined) {
        const valid = ["revoke:PERSON", "restore:PERSON", ...levers.keys()].join(", ");
        throw new Error(`No lever "${lever}". There are: ${valid}.`);
      }
      await pull();
    },
    stop: () => stack.disposeAsync(),
  };
}

/** Where the boundary before these agents lets people come back to. */
function callbacksBeside(agents: readonly string[]): string[] {
  return [...new Set(agents.map((url) => new URL("/connect/mail/callback", url).href))];
}
