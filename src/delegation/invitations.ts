// Invitations: the links that a refused call gives its user, to connect an account at an API.
// A link says nothing of whom it is for, opens nothing by itself, works once, and for ten minutes.
import { randomBytes } from "node:crypto";
import type { Clock } from "../kernel/clock.ts";
import { createCache } from "../store/cache.ts";
import type { Cache } from "../store/cache.ts";
import { idOf } from "./vault.ts";
import type { Place } from "./vault.ts";

export const INVITATION_MS = 600_000;
const INVITATIONS_MAX = 10_000;

export interface Invitation {
  readonly place: Place;
  /** The configured name of the issuer at which the person must prove who she is. */
  readonly issuer_name: string;
  readonly made_ms: number;
}

export class Invitations {
  private readonly byCode: Cache<Invitation>;
  private readonly codes: Cache<string>;
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
    this.byCode = createCache(INVITATIONS_MAX);
    this.codes = createCache(INVITATIONS_MAX);
  }

  /** The code of a link; the same one while it is good, so that a loop makes no more of them. */
  async invite(place: Place, issuer_name: string): Promise<string> {
    const id = idOf(place);
    const open = await this.codes.get(id);
    if (open !== undefined && (await this.look(open)) !== undefined) return open;
    const code = randomBytes(32).toString("base64url");
    const invitation = { place, issuer_name, made_ms: this.clock.now() };
    await this.byCode.set(code, invitation, INVITATION_MS);
    await this.codes.set(id, code, INVITATION_MS);
    return code;
  }

  async look(code: string): Promise<Invitation | undefined> {
    const found = await this.byCode.get(code);
    if (found === undefined) return undefined;
    return this.clock.now() - found.made_ms < INVITATION_MS ? found : undefined;
  }

  /** Looks, and it is gone: of two that use it at once, one gets it. */
  async use(code: string): Promise<Invitation | undefined> {
    const found = await this.look(code);
    if (found === undefined) return undefined;
    return (await this.byCode.delete(code)) ? found : undefined;
  }
}
