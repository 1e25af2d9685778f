/** /crm: customers and deals. */

import { notFound } from "./api-error.ts";
import {
  type Call,
  type ContractVersion,
  ID_PARAMETER,
  type Input,
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
import { customersOf, dealsOf, requireRole } from "./permissions.ts";

const DEAL_STAGES = ["lead", "qualified", "proposal", "won", "lost"] as const;

const STAGE: JsonSchema = { type: "string", enum: DEAL_STAGES };
const DEAL_COLUMNS = `SELECT id, title, customer_id, owner, stage, amount, currency, contact_email,
  updated_at, updated_by FROM deal`;

function nameProperty(version: ContractVersion): string {
  return version === 1 ? "name" : "display_name";
}

export function crmSchemas(version: ContractVersion): Record<string, JsonSchema> {
  return {
    Customer: object({
      id: { type: "integer" },
      [nameProperty(version)]: { type: "string" },
      email: { type: "string", format: "email" },
      plan: { type: "string", enum: ["free", "team", "business"] },
      since: { type: "string", format: "date" },
    }),
    CustomerPage: pageSchema("Customer"),
    Deal: object({
      id: { type: "integer" },
      title: { type: "string" },
      customer_id: { type: "integer" },
      owner: { type: "string" },
      stage: STAGE,
      amount: { type: "integer", description: "In whole units of the currency." },
      currency: { type: "string", enum: ["EUR"] },
      contact_email: { type: "string", format: "email" },
      updated_at: { type: "string", format: "date-time" },
      updated_by: { type: "string" },
    }),
    DealPage: pageSchema("Deal"),
  };
}

export function crmOperations(version: ContractVersion): Operation[] {
  return [...customerOperations(version), ...dealOperations(version)];
}

function customerOperations(version: ContractVersion): Operation[] {
  const columns = `SELECT id, name AS ${nameProperty(version)}, email, plan, since FROM customer`;
  return [
    {
      id: "searchCustomers",
      method: "GET",
      path: "/crm/customers",
      summary: "Customers whose name or email contains a text.",
      scope: "crm:read",
      parameters: { q: SEARCH_PARAMETER, ...PAGE_PARAMETERS },
      status: 200,
      answer: "CustomerPage",
      run: ({ db, user }, input) =>
        readPage(db, {
          select: columns,
          filters: [customersOf(user), textFilter(input["q"], ["name", "email"])],
          input,
        }),
    },
    {
      id: "getCustomer",
      method: "GET",
      path: "/crm/customers/{id}",
      summary: "One customer.",
      scope: "crm:read",
      parameters: { id: ID_PARAMETER },
      status: 200,
      answer: "Customer",
      run: ({ db, user }, { id }) => {
        const customer = readOne(db, columns, id, customersOf(user));
        if (customer === undefined) throw notFound("customer");
        return customer;
      },
    },
    {
      id: "deleteCustomer",
      method: "DELETE",
      path: "/crm/customers/{id}",
      summary: "Delete a customer for good. Deals, tickets and invoices keep its number.",
      scope: "crm:write",
      parameters: { id: ID_PARAMETER },
      status: 204,
      run: ({ db, user }, { id }) => {
        const customer = readOne(db, columns, id, customersOf(user));
        if (customer === undefined) throw notFound("customer");
        requireRole(user, ["sales_manager", "admin"], "delete customers");
        db.prepare("DELETE FROM customer WHERE id = ?").run(Number(id));
      },
    },
  ];
}

function dealOperations(version: ContractVersion): Operation[] {
  const stage_property = version === 1 ? "stage" : "status";
  return [
    {
      id: "searchDeals",
      method: "GET",
      path: "/crm/deals",
      summary: "Deals that the user may see, by title and stage.",
      scope: "crm:read",
      parameters: {
        q: SEARCH_PARAMETER,
        stage: query("Only deals in this stage.", STAGE),
        ...PAGE_PARAMETERS,
      },
      status: 200,
      answer: "DealPage",
      run: ({ db, user }, input) =>
        readPage(db, {
          select: DEAL_COLUMNS,
          filters: [
            dealsOf(user),
            textFilter(input["q"], ["title", "contact_email"]),
            equalFilter("stage", input["stage"]),
          ],
          input,
        }),
    },
    {
      id: "getDeal",
      method: "GET",
      path: "/crm/deals/{id}",
      summary: "One deal.",
      scope: "crm:read",
      parameters: { id: ID_PARAMETER },
      status: 200,
      answer: "Deal",
      run: (call, { id }) => readDeal(call, id),
    },
    {
      id: "updateDeal",
      method: "PATCH",
      path: "/crm/deals/{id}",
      summary: "Move a deal to another stage, with a note if there is something to say.",
      scope: "crm:write",
      parameters: { id: ID_PARAMETER },
      body: object(
        { [stage_property]: STAGE, note: { type: "string", minLength: 1, maxLength: 2000 } },
        ["note"],
      ),
      status: 200,
      answer: "Deal",
      run: (call, input) => moveDeal(call, input, String(input[stage_property])),
    },
  ];
}

function readDeal({ db, user }: Call, id: unknown) {
  const deal = readOne(db, DEAL_COLUMNS, id, dealsOf(user));
  if (deal === undefined) throw notFound("deal");
  return deal;
}

function moveDeal(call: Call, { id, note }: Input, stage: string) {
  const { db, user, time } = call;
  readDeal(call, id);
  db.prepare("UPDATE deal SET stage = ?, updated_at = ?, updated_by = ? WHERE id = ?").run(
    stage,
    time,
    user.subject,
    Number(id),
  );
  if (note !== undefined) {
    db.prepare(
      "INSERT INTO deal_note (deal_id, note, created_at, created_by) VALUES (?, ?, ?, ?)",
    ).run(Number(id), note, time, user.subject);
  }
  return readDeal(call, id);
}
