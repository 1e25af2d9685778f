/** RFC 7662 for our JWT access tokens, which oidc-provider itself refuses to introspect. */

import type { Provider, KoaContextWithOIDC } from "oidc-provider";
import type { CheckToken } from "./subject-token.ts";

export function introspectJwtsToo(provider: Provider, checkToken: CheckToken): void {
  provider.use(async (ctx, next) => {
    await next();
    // The refusal comes after the provider has authenticated the client: that part stays its own.
    if (ctx.path !== "/token/introspection" || !refusedAsJwt(ctx.body)) return;
    const { client, params } = (ctx as KoaContextWithOIDC).oidc;
    if (client === undefined || client.clientAuthMethod === "none") return;
    const live = await checkToken(String(params?.["token"]));
    ctx.status = 200;
    ctx.body = live === undefined ? { active: false } : { active: true, ...live.claims };
  });
}

function refusedAsJwt(body: unknown): boolean {
  return (
    typeof body === "object" &&
    body !== null &&
    "error" in body &&
    body.error === "unsupported_token_type"
  );
}
