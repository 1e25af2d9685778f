// Promises about drafts of tools out of an API's own document.
import type { Requirement } from "./requirement.ts";

export const imports = {
  "import.corpus": {
    source: "I7 must show",
    behavior:
      "each operation of a public document is a draft that loads, or refused by a named reason",
  },
  "import.dialects": {
    source: "I7 build 1",
    behavior:
      "Swagger 2, OpenAPI 3.0, 3.1 and 3.2 say the same in their own ways, and so do the drafts",
  },
  "import.draft": {
    source: "I7 build 1",
    behavior: "a draft has a valid name, effects, target, scopes, ledger marks and few fields",
  },
  "import.hostile": {
    source: "I7 bad input",
    behavior:
      "a document that was made to harm ends in a named error, soon, and reaches nothing else",
  },
  "import.files": {
    source: "I7 build 1",
    behavior: "files that a document refers to are read from beside it, when something needs them",
  },
  "import.source": {
    source: "I7 build 1",
    behavior: "a document is fetched without credentials, follows no redirect, and is bounded",
  },
  "import.never-overwrites": {
    source: "I7 build 1",
    behavior: "a file that is there stays as it is, and what differs is said",
  },
  "import.choice": {
    source: "I7 build 1",
    behavior:
      "nothing is chosen by default: operations are named, or picked from a searchable list",
  },
  "import.requests": {
    source: "I7 must show",
    behavior:
      "an imported tool sends what the document describes, and each argument stays in its place",
  },
  "import.stub": {
    source: "I7 must show",
    behavior:
      "an API that is its document takes each imported tool's request; no text leaves its place",
  },
  "import.tokens": {
    source: "I7 must show",
    behavior: "twenty picked tools cost fewer than 8,000 tokens in tools/list",
  },
  "import.demo": {
    source: "I7 build 1",
    behavior: "the demo's declarative tools ask the API for what its own document says",
  },
  "import.code-demo": {
    source: "I7 must show",
    behavior: "the demo SaaS's own source gives exactly the operations of its OpenAPI document",
  },
  "import.code-routes": {
    source: "I7 must show",
    behavior: "each route of a service is found in its source, or a place and a reason are said",
  },
  "import.code-shapes": {
    source: "I7 build 8",
    behavior: "the shapes that a route checks are read from the code, as far as they stand there",
  },
  "import.code-static": {
    source: "I7 build 8",
    behavior: "code is read and never run, whatever it is, within bounds and within its folder",
  },
  "import.code-drafts": {
    source: "I7 build 8",
    behavior: "what was read becomes drafts as an OpenAPI document's operations do",
  },
} satisfies Record<string, Requirement>;
