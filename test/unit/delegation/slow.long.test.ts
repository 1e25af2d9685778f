// A third-party server that accepts a refresh and never answers: bounded, and then in doubt.
import { expect, onTestFinished } from "vitest";
import { credentialOf } from "../../setup/going.ts";
import { openLinks, placeOfPerson, SCOPES } from "../../setup/links.ts";
import { testFolder } from "../../setup/minimal.ts";
import { RotatingServer } from "../../setup/rotating-server.ts";
import { verifies } from "../../verifies.ts";

verifies(
  "connections.failures",
  "a server that never answers is waited for so long, and asked about",
  async () => {
    const server = await RotatingServer.open();
    const links = openLinks(testFolder(), server.issuer);
    onTestFinished(async () => {
      await links.close();
      await server.close();
    });
    const { access_token, refresh_token } = server.grant("ada");
    const about = { scopes: SCOPES, account: undefined, account_label: undefined };
    const granted = { access_token, refresh_token, lifetime_s: 0, ...about };
    await links.connections.connect(placeOfPerson("ada"), granted);
    const token = () => links.connections.token(credentialOf(), "mail", SCOPES);
    server.on.token = () => undefined;
    expect(await token()).toMatchObject({ ok: false, refusal: { code: "delegation_unavailable" } });
    server.on = {};
    server.lifetime_s = 60;
    expect(await token()).toMatchObject({ ok: true });
    expect(server.reuses).toBe(0);
  },
);
