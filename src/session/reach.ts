// Reach: whom or what a lock or an ending concerns, and whether a session is among it. Pure.
import type { Credential } from "../kernel/principal.ts";
import { digestOf } from "../kernel/ids.ts";
import { sessionOf, userKey } from "./session.ts";
import type { Session } from "./session.ts";

/** What an operator can stop. */
export type Reach =
  | { readonly kind: "user"; readonly issuer: string; readonly subject: string }
  | { readonly kind: "session"; readonly session: string }
  | { readonly kind: "tool"; readonly tool: string }
  | { readonly kind: "agent"; readonly agent: string }
  | { readonly kind: "all" };

/** Whoever wants to go on: a credential and the session it belongs to. */
export interface Going {
  readonly credential: Credential;
  readonly session: Session;
}

/** Names a reach in memory and in the store; a person by a digest. */
export function keyOf(reach: Reach): string {
  return reach.kind === "user" ? `user:${userKey(reach.issuer, reach.subject)}` : reachText(reach);
}

/** As an operator reads and writes it. */
export function reachText(reach: Reach): string {
  switch (reach.kind) {
    case "user":
      return `user:${reach.issuer}#${reach.subject}`;
    case "session":
      return `session:${reach.session}`;
    case "tool":
      return `tool:${reach.tool}`;
    case "agent":
      return `agent:${reach.agent}`;
    case "all":
      return "all";
  }
}

/** What has ended for good, as the provider or an operator said: never lifted, only outlived. */
export type Ending =
  /** Every token of this person that was issued up to the second `until_s`. */
  | {
      readonly kind: "user";
      readonly issuer: string;
      readonly subject: string;
      readonly until_s: number;
    }
  /** One sign-in at the provider, with all its tokens, whenever issued. */
  | { readonly kind: "family"; readonly issuer: string; readonly family: string }
  /** One session of ours: its sign-in, or, where the provider names none, its tokens so far. */
  | { readonly kind: "session"; readonly session: string; readonly until_s: number };

export function endingKey(ending: Ending): string {
  switch (ending.kind) {
    case "user":
      return `user:${userKey(ending.issuer, ending.subject)}`;
    case "family":
      return `family:${digestOf("family-v1", ending.issuer, ending.family)}`;
    case "session":
      return `session:${ending.session}`;
  }
}

/** What something of a person's is known by, where a lock or an ending may concern it. */
export interface Reachable {
  readonly issuer: string;
  readonly subject: string;
  readonly family: string | undefined;
  readonly session: string;
  readonly agent: string;
  /** The tool that it is about; nothing where it is about none, or about any. */
  readonly tool?: string;
}

export function reachableOf(credential: Credential): Reachable {
  const { principal, family, agent } = credential;
  const { issuer, subject } = principal;
  return { issuer, subject, family, session: sessionOf(credential).id, agent };
}

/** Whether a lock or an ending concerns this. */
export function isReached(reach: Reach | Ending, its: Reachable): boolean {
  switch (reach.kind) {
    case "user":
      return reach.issuer === its.issuer && reach.subject === its.subject;
    case "family":
      return reach.issuer === its.issuer && reach.family === its.family;
    case "session":
      return reach.session === its.session;
    case "agent":
      return reach.agent === its.agent;
    case "tool":
      return reach.tool === its.tool;
    case "all":
      return true;
  }
}
