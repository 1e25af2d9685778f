// Access tokens that are forged, foreign, stale or malformed: each is a stranger's (T07).
import { createHmac } from "node:crypto";
import { exportSPKI, importJWK } from "jose";
import type { CryptoKey } from "jose";
import { afterAll, beforeAll, beforeEach, describe, expect } from "vitest";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { openPeer } from "../setup/hostile-peer.ts";
import type { Peer } from "../setup/hostile-peer.ts";
import { defined, newKey, nowS } from "../setup/hostile-provider.ts";
import type { Claims, SigningKey } from "../setup/hostile-provider.ts";
import { callTool } from "../setup/mcp-post.ts";
import { expectRefused } from "../setup/strangers.ts";
import { verifies } from "../verifies.ts";

let boundary: Boundary;
let attacker: Peer;
let attacker_hits = 0;
let unlisted: SigningKey;

beforeAll(async () => {
  boundary = await openBoundary();
  unlisted = await newKey("key-384", "ES384");
  boundary.provider.jwks = { keys: [boundary.provider.key.jwk, unlisted.jwk] };
  attacker = await openPeer();
  attacker.serve((_req, res) => {
    attacker_hits++;
    res.writeHead(200, { "content-type": "application/json" }).end('{"keys":[]}');
  });
});

beforeEach(() => boundary.api.behave());

afterAll(async () => {
  await attacker.close();
  await boundary.close();
});

const sign = (changes: Claims, header: Claims = {}): Promise<string> =>
  boundary.provider.sign(defined(boundary.claims("desk", changes)), header);

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token put together by hand, where no library would help. */
function assemble(header: unknown, signature: string, changes: Claims = {}): string {
  return `${encode(header)}.${encode(boundary.claims("desk", changes))}.${signature}`;
}

function hmac(header: unknown, secret: string): string {
  const input = `${encode(header)}.${encode(boundary.claims("desk"))}`;
  return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
}

const publicPem = async (): Promise<string> =>
  exportSPKI((await importJWK(boundary.provider.key.jwk, "ES256")) as CryptoKey);

const embedded = async (): Promise<string> => {
  const key = await newKey("key-1");
  return boundary.provider.sign(boundary.claims("desk"), { jwk: key.jwk }, key);
};

const pointing = async (parameter: "jku" | "x5u"): Promise<string> => {
  const key = await newKey("attacker");
  const header = { [parameter]: `${attacker.origin}/keys` };
  return boundary.provider.sign(boundary.claims("desk"), header, key);
};

const damaged = async (change: (parts: string[]) => string[]): Promise<string> =>
  change((await sign({})).split(".")).join(".");

function flipped(text: string): string {
  const at = Math.floor(text.length / 2);
  return text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);
}

const HEADER = { alg: "ES256", kid: "key-1", typ: "at+jwt" };

const FORGED: Readonly<Record<string, () => Promise<string> | string>> = {
  "alg none": () => assemble({ ...HEADER, alg: "none" }, ""),
  "alg nOnE": () => assemble({ ...HEADER, alg: "nOnE" }, ""),
  "alg none with a signature": async () =>
    damaged(([, payload = "", s = ""]) => [encode({ ...HEADER, alg: "none" }), payload, s]),
  "no signature": () => assemble(HEADER, ""),
  "HS256 with the public key's PEM": async () =>
    hmac({ ...HEADER, alg: "HS256" }, await publicPem()),
  "HS256 with the public JWK": () =>
    hmac({ ...HEADER, alg: "HS256" }, JSON.stringify(boundary.provider.key.jwk)),
  "HS256 with an empty key": () => hmac({ ...HEADER, alg: "HS256" }, ""),
  "an embedded jwk": embedded,
  "a jku of the attacker's": () => pointing("jku"),
  "an x5u of the attacker's": () => pointing("x5u"),
  "a kid that climbs": () => sign({}, { kid: "../../../../dev/null" }),
  "a kid that is SQL": () => sign({}, { kid: "x' UNION SELECT 'key" }),
  "a kid that nobody has": () => sign({}, { kid: "key-9" }),
  "our kid on another key": async () =>
    boundary.provider.sign(boundary.claims("desk"), {}, await newKey("key-1")),
  "a published key's algorithm that is not listed": () =>
    boundary.provider.sign(boundary.claims("desk"), {}, unlisted),
  "an unknown crit": () => assemble({ ...HEADER, crit: ["doorless"], doorless: 1 }, "A".repeat(86)),
  "a flipped bit in the payload": () => damaged(([h = "", p = "", s = ""]) => [h, flipped(p), s]),
  "a flipped bit in the signature": () => damaged(([h = "", p = "", s = ""]) => [h, p, flipped(s)]),
  "four parts": () => damaged((parts) => [...parts, "AAAA"]),
  "two parts": () => damaged(([h = "", p = ""]) => [h, p]),
  "five parts, as if encrypted": () => damaged(([h = "", p = "", s = ""]) => [h, "", p, s, s]),
  "no JWT at all": () => "an-opaque-token",
  "64 KiB": () => sign({ padding: "x".repeat(64 * 1024) }),
  "more than the cap, correctly signed": () => sign({ padding: "x".repeat(13 * 1024) }),
};

/** Refused, and the security log says why. */
async function refuse(token: string): Promise<void> {
  // A window of the bounded log for itself.
  boundary.pass(10_001);
  const before = boundary.logged().length;
  await expectRefused(boundary, "desk", token);
  const why = /"error_code":"invalid_token","cause":"(?:[^"\\]|\\.){8,}".*"msg":"not let in"/;
  expect(boundary.logged().slice(before)).toMatch(why);
}

describe("a forged token", () => {
  for (const [what, forge] of Object.entries(FORGED)) {
    verifies(["auth.jwt-strict", "bad-input.tokens"], `${what} is refused`, async () => {
      await refuse(await forge());
    });
  }

  verifies("auth.jwt-strict", "no token makes doorless fetch a key from elsewhere", async () => {
    for (const parameter of ["jku", "x5u"] as const) await pointing(parameter).then(refuse);
    expect(attacker_hits).toBe(0);
  });

  verifies("auth.jwt-strict", "unknown kids do not become requests at the provider", async () => {
    const before = boundary.provider.hits.jwks;
    const kids = Array.from({ length: 50 }, (_, i) => `made-up-${i}`);
    const all = kids.map((kid) => sign({}, { kid }));
    await Promise.all(all.map(async (one) => expectRefused(boundary, "desk", await one)));
    expect(boundary.provider.hits.jwks - before).toBeLessThanOrEqual(1);
  });
});

const YEAR_9999 = 253_402_300_000;
const elsewhere = "https://elsewhere.test/mcp/desk";

const MISFIT: Readonly<Record<string, () => Claims>> = {
  "that expired": () => ({ iat: nowS() - 600, exp: nowS() - 60 }),
  "of the year 9999": () => ({ exp: YEAR_9999 }),
  "that lives longer than the cap": () => ({ exp: nowS() + 3700 }),
  "older than the cap, whatever its exp": () => ({ iat: nowS() - 3700, exp: nowS() + 60 }),
  "issued in the future": () => ({ iat: nowS() + 120, exp: nowS() + 600 }),
  "not valid yet": () => ({ nbf: nowS() + 120 }),
  "without iat": () => ({ iat: undefined }),
  "without exp": () => ({ exp: undefined }),
  "without sub": () => ({ sub: undefined }),
  "with an empty sub": () => ({ sub: "" }),
  "with a sub that is no string": () => ({ sub: 7 }),
  "without aud": () => ({ aud: undefined }),
  "with an empty aud array": () => ({ aud: [] }),
  "without client_id": () => ({ client_id: undefined }),
  "with another provider's word for it": () => ({ client_id: undefined, azp: "an-ide" }),
  "with the nonce of an id token": () => ({ nonce: "n" }),
  "with the events of a logout token": () => ({ events: {} }),
  "bound to a key": () => ({ cnf: { jkt: "x" } }),
  "with an exp that is text": () => ({ exp: String(nowS() + 60) }),
  "for another agent": () => ({ aud: `${boundary.url}/mcp/garage` }),
  "for two of our agents": () => ({
    aud: [`${boundary.url}/mcp/desk`, `${boundary.url}/mcp/garage`],
  }),
  "for another deployment": () => ({ aud: elsewhere }),
  "for our origin alone": () => ({ aud: boundary.url }),
  "for our URL with a slash": () => ({ aud: `${boundary.url}/mcp/desk/` }),
  "for our URL in capitals": () => ({ aud: `${boundary.url}/mcp/DESK` }),
  "for our URL with a query": () => ({ aud: `${boundary.url}/mcp/desk?` }),
  "of another issuer": () => ({ iss: "https://elsewhere.test" }),
  "of our issuer with a slash": () => ({ iss: `${boundary.provider.issuer}/` }),
  "of our issuer in capitals": () => ({ iss: boundary.provider.issuer.toUpperCase() }),
  "of our issuer in full-width letters": () => ({
    iss: boundary.provider.issuer.replace("http", "\u{ff48}ttp"),
  }),
  "without iss": () => ({ iss: undefined }),
  "with an iss array": () => ({ iss: [boundary.provider.issuer] }),
};

describe("a well-signed token", () => {
  for (const [what, changes] of Object.entries(MISFIT)) {
    verifies(["auth.jwt-strict", "bad-input.tokens"], `${what} is refused`, async () => {
      await refuse(await sign(changes()));
    });
  }

  for (const typ of ["JWT", "id_token+jwt", "logout+jwt", "dpop+jwt", "secevent+jwt"]) {
    verifies("auth.jwt-strict", `of the type ${typ} is refused`, async () => {
      await refuse(await sign({}, { typ }));
    });
  }

  verifies("auth.jwt-strict", "without a type, and an id token, are refused", async () => {
    await refuse(await sign({}, { typ: undefined }));
    const id_token = { aud: "an-ide", nonce: "n", at_hash: "h", client_id: undefined };
    await refuse(await sign(id_token, { typ: "JWT" }));
  });

  verifies("auth.jwt-strict", "that fits in everything is let in", async () => {
    const fits = [{}, { aud: [`${boundary.url}/mcp/desk`] }, { azp: "an-ide" }];
    for (const changes of fits) {
      const bearer = `Bearer ${await sign(changes)}`;
      const { result } = await callTool(`${boundary.url}/mcp/desk`, bearer, "item_get", {
        id: "7",
      });
      expect(result).toEqual({ id: "7", name: "a lamp" });
    }
  });
});

const MACHINES: Readonly<Record<string, Claims>> = {
  "whose sub is its client_id": { sub: "an-ide" },
  "whose sub is its azp": { sub: "an-ide", client_id: "other", azp: "an-ide" },
  "with Auth0's gty of client-credentials": { gty: "client-credentials" },
  "with a grant_type of client_credentials": { grant_type: "client_credentials" },
  "with gty as a list": { gty: ["client-credentials"] },
  "with a second grant beside the first": { gty: "password", grant_type: "client_credentials" },
  "of Auth0's user for a client": { sub: "an-ide@clients" },
  "of Keycloak's user for a client": { preferred_username: "service-account-an-ide" },
  "with Entra's idtyp of app": { idtyp: "app" },
  "whose sub is its cid": { sub: "okta-client", cid: "okta-client" },
  "whose sub is its appid": { sub: "entra-app", appid: "entra-app" },
  "of a managed identity": { xms_mirid: "/subscriptions/1" },
  "of a cloud account": { email: `robot@project.iam.${["g", "service", "account"].join("")}.com` },
};

describe("a machine's token", () => {
  for (const [what, changes] of Object.entries(MACHINES)) {
    verifies(["auth.person-not-client", "bad-input.tokens"], `${what} is refused`, async () => {
      await refuse(await sign(changes));
    });
  }
});
