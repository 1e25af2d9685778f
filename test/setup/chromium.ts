// Chromium for tests: the one that the system has; no download, no traffic of its own.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";
import type { Browser } from "playwright-core";

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const path = PATHS.find((one) => existsSync(one));

/** Why browser tests cannot run here; `undefined` where they can. */
export const NO_CHROMIUM = path === undefined ? "no Chromium on this machine" : undefined;

export async function openChromium(): Promise<Browser> {
  if (path === undefined) throw new Error(NO_CHROMIUM);
  return chromium.launch({
    executablePath: path,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}
