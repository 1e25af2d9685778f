// Who is to approve something must be able to sign in for it.
import { expect } from "vitest";
import { mustHaveApprovers } from "../../../src/config/approvers.ts";
import { verifies } from "../../verifies.ts";
import { configFrom, minimalConfig, problemsOf } from "../../setup/minimal.ts";

const LOGIN = { issuer: "https://login.test", claims: { roles: "/roles" } };
const CLIENT = { client: { client_id: "doorless", client_secret: "env:SECRET" } };
const OTHER = { ...LOGIN, ...CLIENT, issuer: "https://other.test" };

const wrong = (issuers: object) =>
  problemsOf(() =>
    mustHaveApprovers(configFrom(minimalConfig({ issuers }), { SECRET: "a-client-secret" })),
  );

verifies(
  ["approval.human", "config.mistake-located"],
  "a call to approve by people who cannot sign in is a mistake, with its place",
  () => {
    expect(wrong({ corp: LOGIN, other: OTHER })).toMatchObject([
      {
        pointer: "/agents/yard/tools/item_put/approve",
        message: "nobody can sign in to approve it at the issuer corp",
        mend: expect.stringContaining("`client`") as unknown,
      },
    ]);
    expect(wrong({ corp: { ...LOGIN, ...CLIENT }, other: OTHER })).toEqual([]);
  },
);
