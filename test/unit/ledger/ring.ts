// A keyring in a folder of its own, and what its bytes look like on the disk.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Keyring, Who } from "../../../src/ledger/keyring.ts";
import { openSqliteKeyring } from "../../../src/ledger/keyring-sqlite.ts";
import { Sealer } from "../../../src/ledger/mark.ts";
import { openFolders } from "../../../src/store/folders.ts";
import { testFolder } from "../../setup/minimal.ts";
import { testClock } from "./entries.ts";
import type { TestClock } from "./entries.ts";

export const MIA: Who = { tenant: "acme", issuer: "https://login.test", subject: "mia" };
export const OMAR: Who = { ...MIA, subject: "omar" };
export const GIL: Who = { ...MIA, tenant: "globex", subject: "gil" };

export interface Ring {
  readonly data: string;
  readonly keyring: Keyring;
  readonly sealer: Sealer;
  readonly clock: TestClock;
}

/** Opens the keyring in `data`; the digest key is the same in every test. */
export function openRing(data = testFolder(), entries_max?: number): Ring {
  const clock = testClock();
  const keyring = openSqliteKeyring(openFolders(data), clock, entries_max);
  onTestFinished(() => {
    try {
      keyring.close();
    } catch {
      // The test closed it itself.
    }
  });
  return { data, keyring, sealer: new Sealer(keyring, Buffer.alloc(32, 7)), clock };
}

/** Every file of the folder, also those of its subfolders, as bytes. */
export function filesIn(data: string): ReadonlyMap<string, Buffer> {
  const files = readdirSync(data, { recursive: true, withFileTypes: true });
  return new Map(
    files
      .filter((file) => file.isFile())
      .map((file) => join(file.parentPath, file.name))
      .map((path) => [path, readFileSync(path)] as const),
  );
}

/** How often bytes stand in the folder's files, as they are now. */
export function countIn(data: string): (bytes: Uint8Array) => number {
  const files = [...filesIn(data).values()];
  return (bytes) => {
    let found = 0;
    for (const file of files) {
      for (let at = file.indexOf(bytes); at !== -1; at = file.indexOf(bytes, at + 1)) found++;
    }
    return found;
  };
}
