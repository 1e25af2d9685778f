// An API that is its OpenAPI document: it takes what that describes, and answers as it says.
import { text } from "node:stream/consumers";
import { openPeer } from "../hostile-peer.ts";
import { sampleOf } from "./answer.ts";
import { Document } from "./document.ts";
import { judge } from "./request.ts";
import type { Judged } from "./request.ts";

export interface Seen extends Judged {
  /** Whether the document's own schema takes the answer that was made from it. */
  answeredWell(): boolean;
}

export interface ApiStub {
  readonly origin: string;
  readonly document: Document;
  /** What came since the last time. */
  taken(): readonly Seen[];
  close(): Promise<void>;
}

export async function openApiStub(file: string): Promise<ApiStub> {
  const document = new Document(file);
  const peer = await openPeer();
  let seen: Seen[] = [];
  peer.serve(async (req, res) => {
    const { rawHeaders, method = "", url = "" } = req;
    const headers = rawHeaders
      .filter((_, i) => i % 2 === 0)
      .map((name, i) => [name.toLowerCase(), rawHeaders[2 * i + 1] ?? ""] as const);
    const judged = judge(document, { method, url, headers, body: await text(req) });
    const answer = judged.operation?.answer;
    if (judged.wrong.length > 0 || answer === undefined || answer === null) {
      seen.push({ ...judged, answeredWell: () => judged.wrong.length === 0 });
      res.writeHead(judged.wrong.length > 0 ? 400 : 204).end();
      return;
    }
    const { status, type, schema } = answer;
    const body = type === "" ? undefined : sampleOf(document, schema);
    // To compile the schemas of answers takes longer than all the rest: only where it matters.
    const answeredWell = (): boolean =>
      body === undefined || document.broken(schema, body).length === 0;
    seen.push({ ...judged, answeredWell });
    if (body === undefined) res.writeHead(status).end();
    else res.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  });
  return {
    origin: peer.origin,
    document,
    taken() {
      const all = seen;
      seen = [];
      return all;
    },
    close: () => peer.close(),
  };
}
