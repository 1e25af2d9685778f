/** /billing: invoices, refunds, and the void that support must not have. */

import { ApiError, notFound } from "./api-error.ts";
import {
  type Call,
  ID_PARAMETER,
  type Input,
  type JsonSchema,
  object,
  type Operation,
} from "./operation.ts";
import { readOne } from "./page.ts";
import { invoicesOf, requireRole } from "./permissions.ts";

const COLUMNS = `SELECT id, customer_id, amount, refunded, currency, status, issued_at, updated_at,
  updated_by FROM invoice`;
const AMOUNT: JsonSchema = { type: "integer", description: "In whole units of the currency." };

export function billingSchemas(): Record<string, JsonSchema> {
  return {
    Invoice: object({
      id: { type: "integer" },
      customer_id: { type: "integer" },
      amount: AMOUNT,
      refunded: AMOUNT,
      currency: { type: "string", enum: ["EUR"] },
      status: { type: "string", enum: ["open", "paid", "void"] },
      issued_at: { type: "string", format: "date" },
      updated_at: { type: "string", format: "date-time" },
      updated_by: { type: "string" },
    }),
    Refund: object({
      id: { type: "integer" },
      invoice_id: { type: "integer" },
      amount: AMOUNT,
      reason: { type: "string" },
      created_at: { type: "string", format: "date-time" },
      created_by: { type: "string" },
    }),
  };
}

export function billingOperations(): Operation[] {
  return [
    {
      id: "getInvoice",
      method: "GET",
      path: "/billing/invoices/{id}",
      summary: "One invoice.",
      scope: "billing:read",
      parameters: { id: ID_PARAMETER },
      status: 200,
      answer: "Invoice",
      run: (call, { id }) => readInvoice(call, id),
    },
    {
      id: "refundInvoice",
      method: "POST",
      path: "/billing/invoices/{id}/refunds",
      summary: "Pay back a part of a paid invoice, at most what is left of it.",
      scope: "billing:write",
      parameters: { id: ID_PARAMETER },
      body: object({
        amount: { ...AMOUNT, minimum: 1, maximum: 1_000_000 },
        reason: { type: "string", minLength: 1, maxLength: 500 },
      }),
      status: 201,
      answer: "Refund",
      run: refund,
    },
    {
      id: "voidInvoice",
      method: "POST",
      path: "/billing/invoices/{id}/void",
      summary: "Declare an unpaid invoice void, for good.",
      scope: "billing:write",
      parameters: { id: ID_PARAMETER },
      status: 200,
      answer: "Invoice",
      run: (call, { id }) => {
        const invoice = readInvoice(call, id);
        requireRole(call.user, ["admin"], "void invoices");
        if (invoice["status"] !== "open") {
          throw new ApiError(409, "conflict", "Only an open invoice can be made void.");
        }
        call.db
          .prepare(
            "UPDATE invoice SET status = 'void', updated_at = ?, updated_by = ? WHERE id = ?",
          )
          .run(call.time, call.user.subject, Number(id));
        return readInvoice(call, id);
      },
    },
  ];
}

function readInvoice({ db, user }: Call, id: unknown) {
  const invoice = readOne(db, COLUMNS, id, invoicesOf(user));
  if (invoice === undefined) throw notFound("invoice");
  return invoice;
}

function refund(call: Call, input: Input) {
  const { db, user, time } = call;
  const id = Number(input["id"]);
  const amount = Number(input["amount"]);
  const invoice = readInvoice(call, id);
  requireRole(user, ["support"], "refund");
  const left = Number(invoice["amount"]) - Number(invoice["refunded"]);
  if (invoice["status"] !== "paid") {
    throw new ApiError(409, "conflict", "Only a paid invoice can be refunded.");
  }
  if (amount > left) {
    throw new ApiError(409, "conflict", `Only ${left} of this invoice is left to refund.`);
  }
  db.prepare(
    "UPDATE invoice SET refunded = refunded + ?, updated_at = ?, updated_by = ? WHERE id = ?",
  ).run(amount, time, user.subject, id);
  return db
    .prepare(
      `INSERT INTO refund (invoice_id, amount, reason, created_at, created_by)
       VALUES (?, ?, ?, ?, ?) RETURNING id, invoice_id, amount, reason, created_at, created_by`,
    )
    .get(id, amount, String(input["reason"]), time, user.subject);
}
