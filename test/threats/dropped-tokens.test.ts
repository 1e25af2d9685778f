// Downstream tokens of whoever lost access, at every moment of theirs: taken back, and hers alone.
import { expect, onTestFinished } from "vitest";
import { openBoundary } from "../setup/boundary.ts";
import { json, nowS } from "../setup/hostile-provider.ts";
import { callTool } from "../setup/mcp-post.ts";
import { stopDesk } from "../setup/stop-desk.ts";
import { verifies } from "../verifies.ts";

verifies(
  "revocation.tokens",
  "a token that is on its way when the lock comes is revoked",
  async () => {
    const boundary = await openBoundary({ file: { delegation: { reuse_ms_max: 5000 } } });
    onTestFinished(() => boundary.close());
    const desk = stopDesk(boundary);
    const call = (token: string) =>
      callTool(`${boundary.url}/mcp/desk`, `Bearer ${token}`, "item_get", { id: "7" });
    const hers = await boundary.token("desk");
    const others = await boundary.token("desk", { sub: "grace", sid: "other" });
    const { provider } = boundary;
    const released = Promise.withResolvers<void>();
    const issued = new Map<unknown, string>();
    provider.on.token = async (_req, res, form) => {
      await released.promise;
      const [, payload = ""] = String(form?.get("subject_token")).split(".");
      const { sub } = JSON.parse(Buffer.from(payload, "base64url").toString()) as { sub: string };
      const claims = {
        iss: provider.issuer,
        sub,
        aud: form?.get("resource"),
        client_id: "doorless",
      };
      const times = { iat: nowS(), exp: nowS() + 300, scope: form?.get("scope") };
      const access_token = await provider.sign({ ...claims, ...times });
      issued.set(sub, access_token);
      const issued_token_type = "urn:ietf:params:oauth:token-type:access_token";
      json(res, 200, { access_token, issued_token_type, token_type: "Bearer", expires_in: 300 });
    };
    const arrived = provider.next("token");
    const running = call(hers);
    await arrived;
    const next = provider.next("token");
    const undisturbed = call(others);
    await next;
    await desk.lock(`user:${provider.issuer}#ada`);
    const revoked = provider.next("revocation");
    released.resolve();
    expect((await running).error?.code).toBe("access_revoked");
    expect((await revoked).get("token")).toBe(issued.get("ada"));
    expect((await undisturbed).error).toBeUndefined();
    expect(provider.hits.revocation).toBe(1);
    // Grace's came through the same moment, and is kept for her next call.
    await call(others);
    expect(provider.hits.token).toBe(2);
    await desk.unlock(`user:${provider.issuer}#ada`);
  },
);
