// The same for larger documents (requests.test.ts). GitHub's is not among them: some bodies of it
// are alternatives of records as a whole, of which a draft offers all properties (ADR 19).
import { skip } from "../../../setup/openapi-corpus.ts";
import { judgeRequests } from "../../../setup/openapi-requests.ts";
import { verifies } from "../../../verifies.ts";

for (const name of ["discord-new.json", "stripe-new.yaml"]) {
  verifies("import.requests", `are ones that ${name} describes`, () => judgeRequests(name), {
    skip,
    timeout_ms: 300_000,
  });
}
