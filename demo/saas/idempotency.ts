/** A write that is sent twice with one Idempotency-Key happens once and is answered twice. */

import { createHash } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { ApiError } from "./api-error.ts";

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface KeyedRequest {
  readonly subject: string;
  readonly key: string;
  /** What makes two requests the same one. */
  readonly request: string;
}

export function firstAnswer(db: DatabaseSync, keyed: KeyedRequest): Answer | undefined {
  const row = db
    .prepare("SELECT request, status, body FROM answered WHERE subject = ? AND key = ?")
    .get(keyed.subject, keyed.key);
  if (row === undefined) return undefined;
  if (row["request"] !== digest(keyed.request)) {
    const message = "This Idempotency-Key was used for a different request.";
    throw new ApiError(409, "idempotency_conflict", message);
  }
  return { status: Number(row["status"]), body: JSON.parse(String(row["body"])) };
}

export function keepAnswer(db: DatabaseSync, keyed: KeyedRequest, answer: Answer): void {
  db.prepare("INSERT INTO answered VALUES (?, ?, ?, ?, ?)").run(
    keyed.subject,
    keyed.key,
    digest(keyed.request),
    answer.status,
    JSON.stringify(answer.body ?? null),
  );
}

function digest(request: string): string {
  return createHash("sha256").update(request).digest("base64url");
}
