// What doorless tells clients about itself as a protected resource.
// @see [RFC 9728](https://www.rfc-editor.org/rfc/rfc9728.html)
import type { Config } from "../config/load.ts";

const WELL_KNOWN = "/.well-known/oauth-protected-resource";

/** RFC 9728 section 3.1: the well-known part goes between host and path. */
function metadataUrl(config: Config, agent: string): string {
  return `${config.public_url}${WELL_KNOWN}/mcp/${agent}`;
}

/** The metadata document of one agent. */
export function resourceMetadata(config: Config, name: string): Record<string, unknown> {
  const agent = config.agents[name];
  if (agent === undefined) throw new RangeError(`no agent ${name}`);
  const issuers = agent.issuers ?? Object.keys(config.issuers);
  const scopes = scopesOfAgent(config, name);
  return {
    // RFC 9728 section 3.3: the client compares this with the URL it asked.
    resource: `${config.public_url}/mcp/${name}`,
    resource_name: agent.title,
    authorization_servers: issuers.flatMap((issuer) => config.issuers[issuer]?.issuer ?? []),
    bearer_methods_supported: ["header"],
    // Some clients ask for every scope listed here: nothing that is not needed stands here.
    ...(scopes.length === 0 ? {} : { scopes_supported: scopes }),
  };
}

function scopesOfAgent(config: Config, name: string): readonly string[] {
  const tokens = config.agents[name]?.tokens;
  const scope = tokens !== undefined && "scope" in tokens ? tokens.scope : undefined;
  return scope === undefined ? [] : [scope];
}

/**
 * The `WWW-Authenticate` challenge (RFC 6750 section 3, RFC 9728 section 5.1).
 * Without a credential there is no error to report (RFC 6750 section 3.1).
 */
export function challenge(config: Config, agent: string, error?: string): string {
  const scopes = scopesOfAgent(config, agent);
  const parts = [
    ...(error === undefined
      ? []
      : [
          'error="invalid_token"',
          `error_description="${error.replaceAll(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, "")}"`,
        ]),
    `resource_metadata="${metadataUrl(config, agent)}"`,
    ...(scopes.length === 0 ? [] : [`scope="${scopes.join(" ")}"`]),
  ];
  return `Bearer ${parts.join(", ")}`;
}
