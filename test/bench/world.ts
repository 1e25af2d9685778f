// The identity provider and the SaaS of the bench, in a process of their own.
import { startWorld } from "../../demo/world.ts";
import { serveParent, tell } from "../setup/child-side.ts";
import { agentUrls, BOUNDARY, MAIL_CLIENT } from "../setup/core-config.ts";

const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";

const [data = "", port = "0"] = process.argv.slice(2);
const world = await startWorld({
  data,
  issuer_port: 0,
  api_port: 0,
  mail_accounts_port: 0,
  mail_client: MAIL_CLIENT,
  agents: agentUrls(Number(port)),
  boundary: BOUNDARY,
});

/** What the unprotected server is given: somebody's token for the API, made once. */
async function downstreamToken(): Promise<string> {
  const body = new URLSearchParams({
    ...BOUNDARY,
    grant_type: EXCHANGE,
    subject_token: await world.mintToken("mia", "sales", 600),
    subject_token_type: ACCESS_TOKEN,
    resource: `${world.api}/crm`,
  });
  const response = await fetch(`${world.issuer}/token`, { method: "POST", body });
  const answer = (await response.json()) as { access_token: string };
  return answer.access_token;
}

serveParent({
  agentToken: () => world.mintToken("mia", "sales", 3600),
  tokenFor: ({ person, agent }) => world.mintToken(String(person), String(agent), 3600),
  downstreamToken,
  stop: () => world.stop(),
});
const { issuer, api, mail_accounts } = world;
tell({ ready: true, issuer, api, mail_accounts });
