// A document in several files, and where a document comes from.
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { once } from "node:events";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { operationsOf } from "../../../../src/catalog/openapi/propose.ts";
import type { ApiDocument } from "../../../../src/catalog/openapi/document.ts";
import { withDocument } from "../../../../src/catalog/openapi/source.ts";
import { documentOf, drafted, reasonOf } from "../../../setup/openapi.ts";
import { put, testFolder } from "../../../setup/minimal.ts";
import { verifies } from "../../../verifies.ts";

const ROOT = `
openapi: 3.1.0
info: { title: Files, version: "1" }
paths:
  /deals/{id}: { $ref: "paths/deal.yaml" }
  /other: { $ref: "paths/gone.yaml" }
components:
  schemas:
    Id: { type: integer, minimum: 1 }
`;
const FILES = {
  "paths/deal.yaml": `
parameters:
  - { name: id, in: path, schema: { $ref: "../openapi.yaml#/components/schemas/Id" } }
put:
  requestBody:
    required: true
    content: { application/json: { schema: { $ref: "../schemas/deal.json" } } }
  responses: { "200": { description: ok } }
`,
  "schemas/deal.json": JSON.stringify({
    type: "object",
    required: ["stage"],
    properties: { stage: { $ref: "#/$defs/Stage" }, parent: { $ref: "deal.json" } },
    $defs: { Stage: { type: "string", enum: ["won", "lost"] } },
  }),
  "schemas/unused.json": "{ this is not JSON",
};
const INPUT = {
  id: { in: "path", schema: { type: "integer", minimum: 1 } },
  stage: { in: "body", schema: { type: "string", enum: ["won", "lost"] } },
  parent: { in: "body", optional: true, schema: { $ref: "#/$defs/deal" } },
};
const ANYWHERE = { allow_private: false, progress: () => undefined };

verifies(
  "import.files",
  "an operation's files are read, whichever way they refer to each other",
  async () => {
    const file = await drafted(documentOf(ROOT, FILES, "openapi.yaml"), "PUT /deals/{id}");
    expect(file["input"]).toEqual(INPUT);
  },
);

verifies(
  "import.files",
  "a path whose file is not there has no operations; the others are there",
  async () => {
    const listed = await operationsOf(documentOf(ROOT, FILES, "openapi.yaml"));
    expect(listed.map(({ key }) => key)).toEqual(["PUT /deals/{id}"]);
  },
);

verifies("import.files", "a key that the API chose is no keyword, whatever it says", async () => {
  const flag = `#/components/schemas/Flag`;
  const file = await drafted(
    documentOf(
      {
        openapi: "3.1.0",
        paths: {
          "/x": { put: { ...bodyAt("other.json#/Thing"), responses: { default: OTHER_OK } } },
        },
        components: { schemas: { Flag: { type: "integer" } } },
      },
      {
        "other.json": JSON.stringify({
          Thing: { type: "object", properties: { default: { $ref: flag }, other: { $ref: flag } } },
          Ok: { description: "ok" },
          components: { schemas: { Flag: { type: "boolean" } } },
        }),
      },
    ),
  );
  const schema = { type: "boolean" };
  expect(file["input"]).toEqual({
    default: { in: "body", optional: true, schema },
    other: { in: "body", optional: true, schema },
  });
});

const OTHER_OK = { $ref: "other.json#/Ok" };
const bodyAt = ($ref: string) => ({
  requestBody: { required: true, content: { "application/json": { schema: { $ref } } } },
});

function laid(): string {
  const folder = testFolder();
  for (const [name, text] of Object.entries(FILES)) put(folder, name, text);
  return put(folder, "openapi.yaml", ROOT);
}

verifies(
  "import.files",
  "files lie beside the document on a disk, too, and no link leads out",
  async () => {
    const file = laid();
    const folder = join(file, "..");
    const input = await withDocument(
      file,
      ANYWHERE,
      async (document) => (await drafted(document))["input"],
    );
    expect(input).toEqual(INPUT);
    symlinkSync(put(testFolder(), "outside.yaml", "get: {}"), join(folder, "paths/gone.yaml"));
    const keys = await withDocument(file, ANYWHERE, async (document) => operationsOf(document));
    expect(keys).toHaveLength(1);
  },
);

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

async function served(handler: Handler): Promise<string> {
  const server = createServer(handler).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => server.close().closeAllConnections());
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" ? (address?.port ?? 0) : 0}`;
}

const titled = async (document: ApiDocument): Promise<unknown> => document.root["openapi"];

verifies("import.source", "a document and its files are fetched, with no credential", async () => {
  const asked: string[] = [];
  const files: Readonly<Record<string, string>> = { ...FILES, "openapi.yaml": ROOT };
  const origin = await served(({ url = "", headers }, response) => {
    asked.push(url);
    expect(Object.keys(headers)).not.toContain("authorization");
    expect(Object.keys(headers)).not.toContain("cookie");
    const text = files[url.slice("/v1/".length)];
    response.writeHead(text === undefined ? 404 : 200).end(text);
  });
  let bytes = 0;
  const options = { allow_private: false, progress: (more: number) => void (bytes += more) };
  const input = await withDocument(`${origin}/v1/openapi.yaml`, options, async (document) => {
    return (await drafted(document))["input"];
  });
  expect(input).toEqual(INPUT);
  expect(asked).not.toContain("/v1/schemas/unused.json");
  expect(bytes).toBeGreaterThan(ROOT.length);
});

verifies(
  "import.source",
  "a redirect, an error, a stranger's address and a password are refused",
  async () => {
    const origin = await served(({ url }, response) => {
      if (url === "/moved") response.writeHead(302, { location: "/openapi.json" }).end();
      else response.writeHead(500).end("{}");
    });
    for (const where of [
      `${origin}/moved`,
      `${origin}/broken`,
      `${origin.replace("http://", "http://ada:secret@")}/openapi.json`,
      `${origin}/openapi.json?access_token=abc`,
      `${origin}/openapi.json?subscription-key=abc`,
      "http://169.254.169.254/openapi.json",
      "http://[fe80::1]/openapi.json",
      join(testFolder(), "nothing.json"),
    ]) {
      expect(await reasonOf(() => withDocument(where, ANYWHERE, titled))).toBe(
        "document_unreachable",
      );
    }
  },
);

verifies("import.source", "an answer without an end is cut off where a document ends", async () => {
  const origin = await served((_request, response) => {
    response.writeHead(200, { "content-length": String(80 * 2 ** 20) });
    const part = Buffer.alloc(2 ** 20, "x");
    const send = (): void => {
      while (!response.destroyed && response.write(part));
      if (!response.destroyed) response.once("drain", send);
    };
    send();
  });
  const reason = await reasonOf(() => withDocument(`${origin}/openapi.json`, ANYWHERE, titled));
  expect(reason).toBe("document_unreachable");
});
