// A small API to change: what each drift test mutates, and how it cuts the tool's slice.
import { judge } from "../../../src/contract/compare.ts";
import type { Judged } from "../../../src/contract/compare.ts";
import type { Use } from "../../../src/contract/findings.ts";
import { hashesOf, sliceOf } from "../../../src/contract/slice.ts";
import type { Slice } from "../../../src/contract/slice.ts";

// A test reaches into a document as into any JSON.
// oxlint-disable-next-line typescript/no-explicit-any
export type Loose = any;

export const OPERATION = "POST /shelves/{shelf}/books";
const OPTIONS = { source: { from: "test", sha256: "0", retrieved: "2026-11-28" } };

const BOOK_NEW = {
  type: "object",
  required: ["title"],
  properties: {
    title: { type: "string", maxLength: 200 },
    pages: { type: "integer", minimum: 1, maximum: 5000 },
    subtitle: { type: ["string", "null"] },
    binding: { type: "string", enum: ["paper", "cloth", "leather"] },
    isbn: { type: "string", pattern: "^[0-9]{13}$" },
    tags: { type: "array", items: { type: "string" }, maxItems: 20 },
    price: { oneOf: [{ $ref: "#/components/schemas/Money" }, { type: "string", maxLength: 9 }] },
    publisher: { $ref: "#/components/schemas/Publisher" },
  },
};

const BOOK = {
  type: "object",
  required: ["id", "title", "state"],
  properties: {
    id: { type: "integer" },
    title: { type: "string" },
    note: { type: "string" },
    state: { type: "string", enum: ["here", "lent"] },
    shelf: { $ref: "#/components/schemas/Shelf" },
    price: { anyOf: [{ $ref: "#/components/schemas/Money" }, { type: "string" }] },
    next_cursor: { type: "string" },
  },
};

const DOCUMENT = {
  openapi: "3.1.0",
  info: { title: "Library", version: "7.1" },
  servers: [{ url: "https://api.library.test/v1" }],
  security: [{ login: ["books"] }],
  paths: {
    "/shelves/{shelf}/books": {
      parameters: [{ name: "shelf", in: "path", required: true, schema: { type: "string" } }],
      post: {
        operationId: "addBook",
        tags: ["books"],
        summary: "Adds a book",
        parameters: [
          { name: "notify", in: "query", schema: { type: "boolean", default: false } },
          { name: "limit", in: "query", schema: { type: "integer", maximum: 100, default: 20 } },
          { name: "sort", in: "query", schema: { type: "string", enum: ["up", "down"] } },
          {
            name: "fields",
            in: "query",
            style: "form",
            explode: false,
            schema: { type: "array", items: { type: "string" } },
          },
        ],
        requestBody: { content: { "application/json": { schema: BOOK_NEW } } },
        responses: {
          "200": {
            description: "The book",
            headers: { Link: { required: true, schema: { type: "string" } } },
            content: { "application/json": { schema: { $ref: "#/components/schemas/Book" } } },
          },
          "404": { description: "No such shelf" },
        },
      },
    },
  },
  components: {
    schemas: {
      Book: BOOK,
      // A cycle, as real documents have them.
      Shelf: {
        type: "object",
        required: ["name"],
        properties: {
          name: { type: "string" },
          books: { type: "array", items: { $ref: "#/components/schemas/Book" } },
        },
      },
      Money: {
        type: "object",
        required: ["amount"],
        properties: { amount: { type: "number" }, currency: { type: "string" } },
      },
      Publisher: { type: "object", properties: { name: { type: "string" } } },
    },
    securitySchemes: {
      login: {
        type: "oauth2",
        flows: {
          authorizationCode: {
            authorizationUrl: "https://id.library.test/authorize",
            tokenUrl: "https://id.library.test/token",
            scopes: { books: "", admin: "" },
          },
        },
      },
    },
  },
};

/** Handles to what a mutation usually wants to change. */
export interface Handles {
  readonly document: Loose;
  readonly item: Loose;
  readonly operation: Loose;
  readonly input: Loose;
  readonly output: Loose;
  readonly schemas: Loose;
  readonly parameter: (name: string) => Loose;
}

export function library(): Handles {
  const document: Loose = structuredClone(DOCUMENT);
  const item = document.paths["/shelves/{shelf}/books"];
  const operation = item.post;
  return {
    document,
    item,
    operation,
    input: operation.requestBody.content["application/json"].schema,
    output: document.components.schemas.Book,
    schemas: document.components.schemas,
    parameter: (name) => operation.parameters.find((one: Loose) => one.name === name),
  };
}

export function cut(document: Loose, operation = OPERATION): Slice {
  return sliceOf(document, operation, OPTIONS);
}

/** What is found when the API changes in this way. */
export function drift(change: (api: Handles) => void, use?: Use): Judged {
  const api = library();
  const before = cut(api.document);
  const changed = library();
  change(changed);
  return judge(before, changed.document, OPTIONS, use);
}

/** `severity rule pointer`, gravest first. */
export function lines({ findings }: Pick<Judged, "findings">): string[] {
  return findings.map((one) => `${one.severity} ${one.rule} ${one.pointer}`);
}

/** Whether all four hashes are as they were. */
export function isUnchanged(change: (api: Handles) => void): boolean {
  const { slice } = drift(change);
  if (slice === undefined) return false;
  return JSON.stringify(hashesOf(slice)) === JSON.stringify(hashesOf(cut(library().document)));
}
