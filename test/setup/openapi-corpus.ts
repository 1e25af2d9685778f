// Public documents of APIs, which stay out of the repository: where they lie, and what becomes of
// them. `DOORLESS_TEST_DATA` names the folder.
import { join } from "node:path";
import { loadCatalog } from "../../src/catalog/load.ts";
import type { ToolDefinition } from "../../src/catalog/definition.ts";
import type { Draft } from "../../src/catalog/openapi/draft.ts";
import { operationsOf, propose } from "../../src/catalog/openapi/propose.ts";
import type { Proposal } from "../../src/catalog/openapi/propose.ts";
import { withDocument } from "../../src/catalog/openapi/source.ts";
import { draftText } from "../../src/catalog/openapi/yaml.ts";
import { API } from "./openapi.ts";
import { put, testFolder } from "./minimal.ts";

const DATA = process.env["DOORLESS_TEST_DATA"];
export const FOLDER = join(DATA ?? "", "openapi");
export const skip = DATA === undefined ? "DOORLESS_TEST_DATA is not set" : undefined;

/** Drafts of all operations, or of those named. */
export async function imported(name: string, only?: readonly string[]): Promise<Proposal> {
  const file = join(FOLDER, name);
  const options = { allow_private: false, progress: () => undefined };
  return withDocument(file, options, async (document) => {
    const all = await operationsOf(document);
    const chosen = only === undefined ? all : all.filter(({ key }) => only.includes(key));
    return propose(document, chosen, API, { names: new Map(), own: new Map() });
  });
}

/** Written as files and read by the catalogue's own loader: whatever it refuses, it says. */
export function loaded(drafts: readonly Draft[]): ReadonlyMap<string, ToolDefinition> {
  const folder = testFolder();
  put(
    folder,
    "api/connector.yaml",
    "connector: api\ntitle: API\nidempotency_header: Idempotency-Key\n",
  );
  for (const { file } of drafts) put(folder, `api/${file.name}.tool.yaml`, draftText(file, ["…"]));
  return loadCatalog(folder, { drafts: true }).tools;
}

const REPO = "/repos/{owner}/{repo}";
/** What somebody who triages issues and reviews changes would have. */
export const PICKED_FROM_GITHUB: readonly string[] = [
  `GET ${REPO}`,
  `GET ${REPO}/issues`,
  `POST ${REPO}/issues`,
  `GET ${REPO}/issues/{issue_number}`,
  `PATCH ${REPO}/issues/{issue_number}`,
  `GET ${REPO}/issues/{issue_number}/comments`,
  `POST ${REPO}/issues/{issue_number}/comments`,
  `POST ${REPO}/issues/{issue_number}/labels`,
  `GET ${REPO}/pulls`,
  `POST ${REPO}/pulls`,
  `GET ${REPO}/pulls/{pull_number}`,
  `GET ${REPO}/pulls/{pull_number}/files`,
  `PUT ${REPO}/pulls/{pull_number}/merge`,
  `GET ${REPO}/contents/{path}`,
  `PUT ${REPO}/contents/{path}`,
  `GET ${REPO}/branches`,
  `GET ${REPO}/commits`,
  `GET ${REPO}/actions/runs`,
  "GET /search/issues",
  "GET /user",
];
