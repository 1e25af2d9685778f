/** /mail: messages are stored, and never sent. */

import { type JsonSchema, object, type Operation } from "./operation.ts";

export function mailSchemas(): Record<string, JsonSchema> {
  return {
    Message: object({
      id: { type: "integer" },
      to: { type: "string", format: "email" },
      subject: { type: "string" },
      status: { type: "string", enum: ["queued"] },
      created_at: { type: "string", format: "date-time" },
      created_by: { type: "string" },
    }),
  };
}

export function mailOperations(): Operation[] {
  return [
    {
      id: "sendMessage",
      method: "POST",
      path: "/mail/messages",
      summary: "Send an email in the user's name.",
      scope: "mail:send",
      body: object({
        to: { type: "string", format: "email", maxLength: 254 },
        subject: { type: "string", minLength: 1, maxLength: 200 },
        body: { type: "string", minLength: 1, maxLength: 10_000 },
      }),
      status: 201,
      answer: "Message",
      run: ({ db, user, time }, { to, subject, body }) =>
        db
          .prepare(
            `INSERT INTO message (tenant, recipient, subject, body, created_at, created_by)
             VALUES (?, ?, ?, ?, ?, ?)
             RETURNING id, recipient AS "to", subject, 'queued' AS status, created_at, created_by`,
          )
          .get(user.tenant, String(to), String(subject), String(body), time, user.subject),
    },
  ];
}
