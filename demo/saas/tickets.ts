/** /tickets: what customers ask support. */

import { ApiError, notFound } from "./api-error.ts";
import {
  type Call,
  type ContractVersion,
  ID_PARAMETER,
  type JsonSchema,
  object,
  type Operation,
  query,
} from "./operation.ts";
import {
  equalFilter,
  PAGE_PARAMETERS,
  pageSchema,
  readOne,
  readPage,
  SEARCH_PARAMETER,
  textFilter,
} from "./page.ts";
import { requireRole, ticketsOf } from "./permissions.ts";

const STATUS: JsonSchema = { type: "string", enum: ["open", "closed"] };
const VISIBILITY: JsonSchema = { type: "string", enum: ["public", "internal"] };
const COLUMNS = `SELECT id, subject, body, status, customer_id, assignee, resolution, created_at,
  updated_at, updated_by FROM ticket`;

export function ticketSchemas(version: ContractVersion): Record<string, JsonSchema> {
  return {
    Ticket: object({
      id: { type: "integer" },
      subject: { type: "string" },
      body: { type: "string", description: "As the customer wrote it." },
      status: STATUS,
      customer_id: { type: "integer" },
      assignee: { type: "string" },
      resolution: { type: ["string", "null"] },
      created_at: { type: "string", format: "date-time" },
      updated_at: { type: "string", format: "date-time" },
      updated_by: { type: "string" },
    }),
    TicketPage: pageSchema("Ticket"),
    Reply: object({
      id: { type: "integer" },
      ticket_id: { type: "integer" },
      body: { type: "string" },
      ...(version === 2 ? { visibility: VISIBILITY } : {}),
      created_at: { type: "string", format: "date-time" },
      created_by: { type: "string" },
    }),
  };
}

export function ticketOperations(version: ContractVersion): Operation[] {
  return [
    {
      id: "searchTickets",
      method: "GET",
      path: "/tickets/tickets",
      summary: "Tickets of the user's company, by text and status.",
      scope: "tickets:read",
      parameters: {
        status: query("Only tickets with this status.", STATUS),
        q: SEARCH_PARAMETER,
        ...PAGE_PARAMETERS,
      },
      status: 200,
      answer: "TicketPage",
      run: ({ db, user }, input) =>
        readPage(db, {
          select: COLUMNS,
          filters: [
            ticketsOf(user),
            equalFilter("status", input["status"]),
            textFilter(input["q"], ["subject", "body"]),
          ],
          input,
        }),
    },
    replyOperation(version),
    {
      id: "closeTicket",
      method: "POST",
      path: "/tickets/tickets/{id}/close",
      summary: "Close an open ticket and say how it was resolved.",
      scope: "tickets:write",
      parameters: { id: ID_PARAMETER },
      body: object({ resolution: { type: "string", minLength: 1, maxLength: 2000 } }),
      status: 200,
      answer: "Ticket",
      run: (call, { id, resolution }) => {
        openTicket(call, id);
        call.db
          .prepare(
            `UPDATE ticket SET status = 'closed', resolution = ?, updated_at = ?, updated_by = ?
             WHERE id = ?`,
          )
          .run(String(resolution), call.time, call.user.subject, Number(id));
        return readTicket(call, id);
      },
    },
  ];
}

function replyOperation(version: ContractVersion): Operation {
  const body: JsonSchema = { type: "string", minLength: 1, maxLength: 5000 };
  return {
    id: "replyToTicket",
    method: "POST",
    path: "/tickets/tickets/{id}/replies",
    summary: "Answer the customer on an open ticket.",
    scope: "tickets:write",
    parameters: { id: ID_PARAMETER },
    body: object(version === 1 ? { body } : { body, visibility: VISIBILITY }),
    status: 201,
    answer: "Reply",
    run: (call, input) => {
      const { db, user, time } = call;
      openTicket(call, input["id"]);
      const visibility = String(input["visibility"] ?? "public");
      const columns = "id, ticket_id, body, created_at, created_by";
      const shown = version === 1 ? columns : `${columns}, visibility`;
      const touch = "UPDATE ticket SET updated_at = ?, updated_by = ? WHERE id = ?";
      db.prepare(touch).run(time, user.subject, Number(input["id"]));
      return db
        .prepare(
          `INSERT INTO reply (ticket_id, body, visibility, created_at, created_by)
           VALUES (?, ?, ?, ?, ?) RETURNING ${shown}`,
        )
        .get(Number(input["id"]), String(input["body"]), visibility, time, user.subject);
    },
  };
}

function readTicket({ db, user }: Call, id: unknown) {
  const ticket = readOne(db, COLUMNS, id, ticketsOf(user));
  if (ticket === undefined) throw notFound("ticket");
  return ticket;
}

function openTicket(call: Call, id: unknown): void {
  const ticket = readTicket(call, id);
  requireRole(call.user, ["support"], "work on tickets");
  if (ticket["status"] !== "open") {
    throw new ApiError(409, "conflict", "This ticket is closed.");
  }
}
