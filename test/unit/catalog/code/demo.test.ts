// The demo SaaS, whose routes are data that a server of its own goes through, and its document.
import { join } from "node:path";
import { expect } from "vitest";
import { buildContract } from "../../../../demo/saas/contract.ts";
import { openApiDocument } from "../../../../demo/saas/openapi.ts";
import { ROOT } from "../../../setup/core-config.ts";
import { verifies } from "../../../verifies.ts";
import { operationIn, readFolder } from "./reading.ts";

const places = {
  api: "https://saas.test",
  issuer: "https://id.test",
  mail_issuer: "https://m.test",
};
const document = openApiDocument(buildContract(1), places);

interface Documented {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters: readonly Readonly<Record<string, unknown>>[];
  readonly requestBody?: unknown;
}

const documented = Object.entries(document["paths"] as Record<string, Record<string, Documented>>)
  .flatMap(([path, item]) =>
    Object.entries(item).map(([method, one]) => [`${method.toUpperCase()} ${path}`, one] as const),
  )
  .toSorted(([a], [b]) => (a < b ? -1 : 1));

// Of these the shape depends on which contract is in force.
const VERSIONED = ["PATCH /crm/deals/{id}", "POST /tickets/tickets/{id}/replies"];

verifies(
  "import.code-demo",
  "its source gives the operations of its document, and no other",
  () => {
    for (const folder of ["demo/saas", "demo"]) {
      const read = readFolder(join(ROOT, folder));
      expect([...read.places.keys()].toSorted()).toEqual(documented.map(([key]) => key));
    }
  },
);

verifies("import.code-demo", "names, parameters and bodies are those of its document", () => {
  const read = readFolder(join(ROOT, "demo/saas"));
  for (const [key, { operationId, summary, parameters, requestBody }] of documented) {
    const own = parameters.filter((one) => !Object.hasOwn(one, "$ref"));
    const found = operationIn(read, key);
    expect(found).toMatchObject({ operationId, summary });
    expect(found["parameters"], key).toEqual(own);
    if (VERSIONED.includes(key)) expect(read.places.get(key)?.unread).not.toEqual([]);
    else expect(found["requestBody"], key).toEqual(requestBody);
  }
});
