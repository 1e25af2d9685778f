// The user's pipeline at a glance: the open deals of every stage, and whose they are.
import { defineTool, z } from "doorless/tool";

const STAGES = ["lead", "qualified", "proposal", "won", "lost"] as const;
const OPEN = ["lead", "qualified", "proposal"] as const;
const PAGE_SIZE = 50;
const PAGES_MAX = 10;

const pageSchema = z.object({
  items: z.array(
    z.object({
      id: z.int(),
      title: z.string(),
      customer_id: z.int(),
      amount: z.int(),
      currency: z.string(),
    }),
  ),
  next_cursor: z.string().nullable(),
});
const customerSchema = z.object({ id: z.int(), name: z.string() });

export default defineTool({
  name: "crm_pipeline_summary",
  title: "Sum up the pipeline",
  description:
    "Sums up the deals that the user may see: how many and how much in each stage, and the " +
    "largest open deals with their customers' names. Amounts are whole units of the currency.",
  input: z.object({
    stages: z
      .array(z.enum(STAGES))
      .min(1)
      .max(5)
      .optional()
      .describe("Only these stages; all of them unless said"),
    largest: z
      .int()
      .min(0)
      .max(10)
      .default(3)
      .describe("How many of the largest open deals to name"),
  }),
  output: z.object({
    stages: z.array(
      z.object({
        stage: z.enum(STAGES),
        deals: z.int(),
        amount: z.int(),
      }),
    ),
    open_amount: z.int().describe("Of the stages lead, qualified and proposal together"),
    currency: z.enum(["EUR"]),
    largest: z.array(
      z.object({
        id: z.int(),
        title: z.string(),
        customer: z.string(),
        amount: z.int(),
      }),
    ),
  }),
  effects: { readOnly: true, destructive: false, idempotent: true, openWorld: false },
  target: "none",
  uses: ["GET /crm/deals", "GET /crm/customers/{id}"],
  scopes: ["crm:read"],
  limits: { timeout_ms: 15_000, response_bytes_max: 262_144, requests_max: 80 },

  async run({ input, api, log }) {
    const dealsIn = async (stage: string) => {
      const deals = [];
      let cursor: string | undefined;
      for (let page = 0; page < PAGES_MAX; page++) {
        const query = { stage, limit: PAGE_SIZE, cursor };
        const answer = pageSchema.parse(await api.request("GET /crm/deals", { query }));
        deals.push(...answer.items);
        if (answer.next_cursor === null) return deals;
        cursor = answer.next_cursor;
      }
      // Part of a pipeline would be a wrong answer, not a smaller one.
      throw new RangeError(`more than ${PAGES_MAX * PAGE_SIZE} deals in stage ${stage}`);
    };
    const stages = [];
    const open = [];
    for (const stage of input.stages ?? STAGES) {
      const deals = await dealsIn(stage);
      const amount = deals.reduce((sum, deal) => sum + deal.amount, 0);
      stages.push({ stage, deals: deals.length, amount });
      if (OPEN.some((one) => one === stage)) open.push(...deals);
    }
    const chosen = open.toSorted((a, b) => b.amount - a.amount).slice(0, input.largest);
    const largest = [];
    for (const { id, title, customer_id, amount } of chosen) {
      const path = { id: customer_id };
      const customer = await api.request("GET /crm/customers/{id}", { path });
      largest.push({ id, title, customer: customerSchema.parse(customer).name, amount });
    }
    log("summed up", { stages: stages.length, open: open.length });
    const open_amount = open.reduce((sum, deal) => sum + deal.amount, 0);
    return { stages, open_amount, currency: "EUR" as const, largest };
  },
});
