/** The boundary as the world knows it: a client of the provider, and where it hears of events. */

export interface Boundary {
  readonly client_id: string;
  readonly client_secret: string;
  /** Where it wants to hear that somebody's access ended; nowhere where absent. */
  readonly events?: { readonly backchannel_logout: string; readonly shared_signals: string };
}

/** Where a doorless at `url` hears that somebody's access ended. */
export function eventsAt(url: string): NonNullable<Boundary["events"]> {
  return {
    backchannel_logout: `${url}/events/backchannel-logout`,
    shared_signals: `${url}/events/ssf`,
  };
}

/** What else tells the token's agent, where the audience is shared. */
export interface Binding {
  readonly scope?: string;
  readonly client_id?: string;
}
