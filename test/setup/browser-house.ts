// A house, and browsers of the people who come to its pages.
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { openChromium, NO_CHROMIUM } from "./chromium.ts";
import { openHouse } from "./house.ts";
import type { House } from "./house.ts";

/** Opened before the file's tests and closed after them, where there is a Chromium. */
export class BrowserHouse {
  private chromium: Browser | undefined;
  private opened: House | undefined;
  private readonly contexts: BrowserContext[] = [];
  private readonly complaints: string[] = [];

  constructor() {
    beforeAll(async () => {
      if (NO_CHROMIUM !== undefined) return;
      this.opened = await openHouse();
      this.chromium = await openChromium();
    });
    afterEach(async () => {
      for (const context of this.contexts.splice(0)) await context.close();
      // What our own policy forbids our own pages would be a page without its looks, or worse.
      const forbidden = this.complaints.filter((text) => text.includes("Content Security Policy"));
      expect(forbidden).toEqual([]);
    });
    afterAll(async () => {
      await this.chromium?.close();
      await this.opened?.close();
    });
  }

  get house(): House {
    if (this.opened === undefined) throw new Error("the house is not open");
    return this.opened;
  }

  /** What a page elsewhere, made to be forbidden, has caused is no complaint about ours. */
  forgive(): void {
    this.complaints.length = 0;
  }

  /** A browser of somebody's own: its cookies are nobody else's. */
  async browserOf(): Promise<Page> {
    if (this.chromium === undefined) throw new Error("the browser is not open");
    const context = await this.chromium.newContext();
    this.contexts.push(context);
    const page = await context.newPage();
    page.on("console", (message) => this.complaints.push(message.text()));
    return page;
  }
}
