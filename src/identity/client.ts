// doorless as a confidential client of one provider: what openid-client needs to speak for it.
import {
  allowInsecureRequests,
  ClientSecretBasic,
  ClientSecretPost,
  Configuration,
  customFetch,
} from "openid-client";
import type { ServerMetadata } from "openid-client";
import type { Secret } from "../kernel/secret.ts";
import type { Provider } from "./provider.ts";

/** The client's configuration, made anew when the provider's metadata is. */
export type ClientOf = () => Promise<Configuration>;

export function createClient(
  provider: Provider,
  client_id: string,
  secret: Secret,
  how: "post" | "basic" = "post",
): ClientOf {
  let ready: { metadata: ServerMetadata; configuration: Configuration } | undefined;
  // An endpoint that moved is followed.
  return async () => {
    const metadata = await provider.metadata();
    if (ready?.metadata === metadata) return ready.configuration;
    const prove = how === "basic" ? ClientSecretBasic : ClientSecretPost;
    const auth = prove(secret.reveal());
    const configuration = new Configuration(metadata, client_id, undefined, auth);
    configuration[customFetch] = (url, init) => provider.fetch(url, init);
    if (provider.insecure) allowInsecureRequests(configuration);
    ready = { metadata, configuration };
    return configuration;
  };
}
