/** /analytics: sums over the deals that the user may see. */

import { type JsonSchema, object, type Operation } from "./operation.ts";
import { dealsOf } from "./permissions.ts";

// Both tables are closed lists of our own SQL: a request only picks from them.
const METRICS: Readonly<Record<string, string>> = {
  deal_count: "count(*)",
  deal_amount: "coalesce(sum(amount), 0)",
  won_amount: "coalesce(sum(amount) FILTER (WHERE stage = 'won'), 0)",
};
const GROUPS: Readonly<Record<string, string>> = {
  stage: "stage",
  owner: "owner",
  customer: "CAST(customer_id AS TEXT)",
  month: "substr(updated_at, 1, 7)",
};

export function analyticsSchemas(): Record<string, JsonSchema> {
  return {
    QueryResult: object({
      rows: {
        type: "array",
        items: object({ key: { type: "string" }, value: { type: "integer" } }),
      },
    }),
  };
}

export function analyticsOperations(): Operation[] {
  return [
    {
      id: "queryAnalytics",
      method: "POST",
      path: "/analytics/query",
      summary: "A metric over the user's deals, by group, between two days (both included).",
      scope: "analytics:read",
      body: object(
        {
          metric: { type: "string", enum: Object.keys(METRICS) },
          group_by: { type: "string", enum: Object.keys(GROUPS) },
          from: { type: "string", format: "date" },
          to: { type: "string", format: "date" },
        },
        ["from", "to"],
      ),
      status: 200,
      answer: "QueryResult",
      run: ({ db, user }, input) => {
        const { where, values } = dealsOf(user);
        const metric = METRICS[String(input["metric"])] ?? "0";
        const group = GROUPS[String(input["group_by"])] ?? "''";
        const rows = db
          .prepare(
            `SELECT ${group} AS key, ${metric} AS value FROM deal
             WHERE (${where}) AND substr(updated_at, 1, 10) BETWEEN ? AND ?
             GROUP BY 1 ORDER BY 1`,
          )
          .all(...values, input["from"] ?? "0000-01-01", input["to"] ?? "9999-12-31");
        return { rows };
      },
    },
  ];
}
