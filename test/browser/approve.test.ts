// Approving in a real browser: Dana refunds 80 to a customer of hers, once, and as it was shown.
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect } from "vitest";
import { askLocal } from "../../src/console/local.ts";
import type { AuditRecord } from "../../src/ledger/record.ts";
import { connectHttp } from "../interop/clients.ts";
import type { Json, McpClient } from "../interop/clients.ts";
import { BrowserHouse } from "../setup/browser-house.ts";
import { NO_CHROMIUM } from "../setup/chromium.ts";
import { verifies } from "../verifies.ts";

const REFUND = { id: 1001, amount: 80, reason: "Charged twice in August" };
const OPERATOR = { os_user: "a test" };
const BROWSER = { skip: NO_CHROMIUM, timeout_ms: 60_000 };

const stage = new BrowserHouse();
let dana: McpClient;

beforeAll(async () => {
  if (NO_CHROMIUM !== undefined) return;
  const url = stage.house.ready.mcp["support"] ?? "";
  dana = await connectHttp("v1", url, await stage.house.token("dana", "support"));
  await readFirst();
});

afterAll(async () => {
  if (NO_CHROMIUM === undefined) await dana.close();
});

// She refunds customers of her own tickets alone, and what she has read that they were charged.
async function readFirst(): Promise<void> {
  await dana.call("tickets_search");
  for (const id of [1001, 1002]) await dana.call("billing_get_invoice", { id });
}

async function openAs(url: string, name: string): Promise<Page> {
  const page = await stage.browserOf();
  await page.goto(url);
  await page.getByRole("button", { name }).click();
  return page;
}

const words = (page: Page): Promise<string> => page.locator("main").innerText();

/** The link with which a refund is refused. */
async function question(args: Json): Promise<string> {
  const { error } = await dana.call("billing_refund", args);
  expect(error).toMatchObject({ code: "confirmation_required", effect: "none" });
  return (error?.["details"] as { url?: string } | undefined)?.url ?? "";
}

async function refunds(): Promise<Json[]> {
  const rows = (await (await fetch(`${stage.house.ready.api}/audit?limit=10000`)).json()) as Json[];
  return rows.filter(({ path }) => String(path).endsWith("/refunds"));
}

verifies(
  ["approval.human", "approval.once", "approval.bound", "approval.shown", "approval.recorded"],
  "Dana refunds 80, approved in a browser: once, and not a cent more",
  async () => {
    const page = await openAs(await question(REFUND), "Dana");
    const shown = await words(page);
    expect(shown).toMatch(/Refund an invoice[\s\S]*Dana Okafor[\s\S]*Acme Billing/);
    expect(shown).toMatch(/POST \/billing\/invoices\/1001\/refunds[\s\S]*"amount": 80/);
    expect(await refunds()).toEqual([]);
    await page.getByRole("button", { name: "Yes, do it once" }).click();
    expect(await words(page)).toMatch(/You said yes/);
    const another = await question({ ...REFUND, amount: 79 });
    const done = await dana.call("billing_refund", REFUND);
    expect(done.value).toMatchObject({ invoice_id: 1001, amount: 80, created_by: "dana" });
    const replayed = await question(REFUND);
    expect(new Set([another, replayed, page.url()]).size).toBe(3);
    expect(await refunds()).toMatchObject([
      { subject: "dana", status: 201, request_id: done.call_id },
    ]);
    const { records } = (await askLocal(stage.house.data, "core", "/audit", {
      ...OPERATOR,
      filter: { call_id: done.call_id, limit: 1 },
    })) as { records: AuditRecord[] };
    expect(records).toMatchObject([{ approved_by: "dana", outcome: "ok", effect: "done" }]);
  },
  BROWSER,
);

verifies(
  "approval.yours-alone",
  "Mia, who has Dana's link, sees what nobody ever asked, and can say yes to nothing",
  async () => {
    const url = await question({ ...REFUND, id: 1002 });
    const page = await openAs(url, "Mia");
    const theirs = await page.content();
    await page.goto(`${new URL(url).origin}/approve/${"A".repeat(43)}`);
    expect(await page.content()).toBe(theirs);
    expect(theirs).not.toMatch(/refund|Yes, do it/i);
    await page.goto(`${new URL(url).origin}/approve`);
    expect(await words(page)).toMatch(/Nothing waits for your answer/);
    await question({ ...REFUND, id: 1002 });
  },
  BROWSER,
);

verifies(
  "approval.yours-alone",
  "a page elsewhere, in Dana's own browser, can neither frame the question nor answer it",
  async () => {
    const url = await question({ ...REFUND, id: 1002 });
    const page = await openAs(url, "Dana");
    await page.getByRole("button", { name: "Yes, do it once" }).waitFor();
    const csrf = await page.locator("input[name=csrf]").first().inputValue();
    const evil = stage.house.ready.api.replace("127.0.0.1", "localhost");
    await page.route(`${evil}/**`, (route) =>
      route.fulfill({
        contentType: "text/html",
        body:
          `<iframe src="${url}"></iframe><form method="post" action="${url}">` +
          `<input name="csrf" value="${csrf}"><input name="act" value="yes">` +
          "<button>Win</button></form>",
      }),
    );
    await page.goto(`${evil}/`);
    const framed = page.frames().find((frame) => frame !== page.mainFrame());
    expect(await framed?.getByText("Yes, do it once").count()).toBe(0);
    const answered = page.waitForResponse((response) => response.request().method() === "POST");
    await page.getByRole("button", { name: "Win" }).click();
    expect((await answered).status()).toBe(403);
    stage.forgive();
    await question({ ...REFUND, id: 1002 });
    expect(await refunds()).toHaveLength(1);
  },
  BROWSER,
);

verifies(
  ["approval.voided", "approval.declined"],
  "a yes from before a lock is void after it; a no is told, and not asked again",
  async () => {
    const args = { ...REFUND, id: 1002 };
    const page = await openAs(await question(args), "Dana");
    await page.getByRole("button", { name: "Yes, do it once" }).click();
    await page.getByText("You said yes").waitFor();
    const lock = { ...OPERATOR, what: "user:dana" };
    await askLocal(stage.house.data, "core", "/locks/add", { ...lock, reason: "a test" });
    expect((await dana.call("billing_refund", args)).error).toMatchObject({ code: "locked" });
    await askLocal(stage.house.data, "core", "/locks/rm", lock);
    // What a session has read ends with a lock, too.
    await readFirst();
    const again = await openAs(await question(args), "Dana");
    await again.getByRole("button", { name: "No", exact: true }).click();
    expect(await words(again)).toMatch(/You said no/);
    const { error } = await dana.call("billing_refund", args);
    expect(error).toMatchObject({ code: "confirmation_declined", retry: "never", effect: "none" });
    expect(await refunds()).toHaveLength(1);
  },
  BROWSER,
);
