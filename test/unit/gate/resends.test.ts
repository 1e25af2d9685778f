// What is kept for writes that come again: whose it is, how long, how much, and what is left of it.
import { DatabaseSync } from "node:sqlite";
import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { expect } from "vitest";
import { keptBytesMax } from "../../../src/config/limits.ts";
import type { Again, Claimed, First, Resends, Sent } from "../../../src/gate/resends.ts";
import { verifies } from "../../verifies.ts";
import { DONE, recalled, sent, stand } from "./sent-again.ts";

const ANSWER_BYTES_MAX = keptBytesMax({ result_tokens_max: 1000 });

function first(claimed: Claimed): First {
  if (claimed.kind !== "first") throw new Error(`it is ${claimed.kind}`);
  return claimed.first;
}

function again(claimed: Claimed): Again {
  if (claimed.kind !== "again") throw new Error(`it is ${claimed.kind}`);
  return claimed.again;
}

/** Runs it, and what it answers is kept. */
async function run(resends: Resends, one: Sent): Promise<void> {
  const cut = Promise.resolve(false);
  first(resends.claim(one, cut)).end(DONE);
  await cut;
  const other = again(resends.claim({ ...one, call_id: "x" }, undefined));
  await other.over;
  other.leave(false);
}

const told = (resends: Resends, one: Sent) => {
  const claimed = resends.claim(one, undefined);
  return claimed.kind === "again" ? claimed.again.answer("sha256:1") : claimed.kind;
};

verifies(
  "resend.once",
  "of those that come at once one is the first, and the others wait",
  async () => {
    const { resends } = stand();
    const one = first(resends.claim(sent("k"), undefined));
    const others = Array.from({ length: 100 }, () => again(resends.claim(sent("k"), undefined)));
    one.end(DONE);
    for (const other of others) {
      await other.over;
      expect(other.answer("sha256:1")).toEqual(DONE);
    }
  },
);

verifies("resend.nothing-ran", "where nothing ran, the next one is the first", async () => {
  const { resends } = stand();
  const one = first(resends.claim(sent("k"), undefined));
  const waiting = again(resends.claim(sent("k"), undefined));
  one.end(undefined);
  await waiting.over;
  expect(waiting.answer("sha256:1")).toBeUndefined();
  expect(resends.claim(sent("k"), undefined).kind).toBe("first");
  expect(resends.claim(sent("k"), undefined).kind).toBe("again");
});

verifies(
  "resend.own",
  "a key is for one set of arguments; other sessions and tools differ",
  async () => {
    const { resends } = stand();
    const one = sent("k");
    await run(resends, one);
    const other = resends.claim(sent("k", { marks: { key: "k", args: "others" } }), undefined);
    expect(other).toEqual({ kind: "other_arguments", call_id: one.call_id });
    for (const changes of [{ session: "ses_2" }, { tool: "item_delete" }]) {
      expect(resends.claim(sent("k", changes), undefined).kind).toBe("first");
    }
  },
);

verifies("resend.own", "an answer of another definition of the tool is not given", async () => {
  const { resends } = stand();
  await run(resends, sent("k"));
  const other = again(resends.claim(sent("k"), undefined));
  expect(other.answer("sha256:1")).toEqual(DONE);
  expect(other.answer("sha256:2")).toEqual({ lost: "done" });
});

verifies(
  "resend.hung-up",
  "without a key, only what nobody heard is the same call, and once",
  async () => {
    const { resends } = stand();
    first(resends.claim(sent(null), Promise.resolve(true))).end(DONE);
    await Promise.resolve();
    expect(resends.claim(sent(null), undefined).kind, "it was heard").toBe("first");
    const cut = Promise.resolve(false);
    await run(resends, sent(null, { tool: "item_cut" }));
    const asked = sent(null, { tool: "item_cut" });
    // The second try is cut as well; the third one is heard.
    const second = again(resends.claim(asked, cut));
    expect(resends.claim(asked, cut).kind, "nobody has it yet").toBe("again");
    second.leave(true);
    await cut;
    const third = again(resends.claim(asked, Promise.resolve(true)));
    expect(third.answer("sha256:1")).toEqual(DONE);
    third.leave(true);
    await Promise.resolve();
    expect(resends.claim(asked, undefined).kind, "it is another one").toBe("first");
  },
);

verifies("resend.hung-up", "two that were cut are two, whoever comes first", async () => {
  const { resends } = stand();
  const cut = Promise.resolve(false);
  const both = [0, 1].map(() => first(resends.claim(sent(null), cut)));
  await cut;
  const waiting = [0, 1].map(() => again(resends.claim(sent(null), undefined)));
  expect(new Set(waiting.map(({ call_id }) => call_id)).size).toBe(2);
  expect(resends.claim(sent(null), undefined).kind).toBe("again");
  for (const one of both) one.end(DONE);
  await Promise.all(waiting.map(({ over }) => over));
  for (const one of waiting) expect(one.answer("sha256:1")).toEqual(DONE);
});

verifies("resend.bounded", "where there is no room for an answer, a key is refused", async () => {
  const { resends, clock } = stand({
    resend_bytes_per_user_max: 2 * ANSWER_BYTES_MAX,
    resend_bytes_max: 3 * ANSWER_BYTES_MAX,
  });
  const grace = { tenant: "acme", issuer: "https://login.test", subject: "grace" };
  const hers = [1, 2].map((i) => first(resends.claim(sent(`k${i}`), undefined)));
  const full = { kind: "full", limit: "resend_bytes_per_user_max", scope: "user" };
  expect(resends.claim(sent("k3"), undefined)).toEqual(full);
  first(resends.claim(sent("g1", { who: grace }), undefined));
  const all = { kind: "full", limit: "resend_bytes_max", scope: "server" };
  expect(resends.claim(sent("g2", { who: grace }), undefined)).toEqual(all);
  // One that ended takes what it is; what was sent before is answered in any case.
  hers[0]?.end(DONE);
  expect(resends.claim(sent("k3"), undefined)).toEqual(full);
  hers[1]?.end(undefined);
  await Promise.resolve();
  expect(resends.claim(sent("k3"), undefined).kind).toBe("first");
  expect(told(resends, sent("k1"))).toEqual(DONE);
  clock.ms += 600_000;
  expect(resends.claim(sent("k4"), undefined).kind).toBe("first");
});

verifies("resend.bounded", "what is over its time is gone from the disk, too", async () => {
  const { resends, clock, file } = stand();
  await run(resends, sent("k"));
  const rows = () => {
    const db = new DatabaseSync(file, { readOnly: true });
    const count = db.prepare("SELECT count(*) AS n FROM answers").get()?.["n"];
    db.close();
    return count;
  };
  clock.ms += 599_999;
  expect(told(resends, sent("k"))).toEqual(DONE);
  expect(rows()).toBe(1);
  clock.ms += 1;
  expect(told(resends, sent("k"))).toBe("first");
  expect(rows()).toBe(0);
});

verifies("resend.bounded", "an erased person's answers open no more", async () => {
  const { resends, keyring } = stand();
  const one = sent("k");
  await run(resends, one);
  keyring.erase(one.who);
  expect(told(resends, sent("k"))).toEqual({ lost: "done" });
});

verifies("resend.own", "an answer that is put in another's place does not open", async () => {
  const { resends, file } = stand();
  const [mine, other] = [sent("k1"), sent("k2")];
  await run(resends, mine);
  await run(resends, other);
  const db = new DatabaseSync(file);
  db.prepare("UPDATE answers SET sealed = (SELECT sealed FROM answers WHERE call_id = ?)").run(
    other.call_id,
  );
  db.close();
  expect(told(resends, sent("k1"))).toEqual({ lost: "done" });
  expect(told(resends, sent("k2"))).toEqual(DONE);
});

verifies("resend.checked", "an ending takes what was kept, a lock does not", async () => {
  const { resends } = stand();
  await run(resends, sent("k"));
  const reach = { kind: "session", session: "ses_1", until_s: 1 } as const;
  resends.heed({ reach, lifted: false, isLock: true });
  expect(told(resends, sent("k"))).toEqual(DONE);
  resends.heed({ reach, lifted: false, isLock: false });
  expect(told(resends, sent("k"))).toEqual({ lost: "done" });
});

verifies("resend.checked", "an ending takes what still runs, too: its answer is lost", async () => {
  const { resends } = stand();
  const [one, cut] = [sent("k"), sent(null, { tool: "item_cut" })];
  const both = [one, cut].map((its) => first(resends.claim(its, Promise.resolve(false))));
  const reach = { kind: "session", session: "ses_1", until_s: 1 } as const;
  resends.heed({ reach, lifted: false, isLock: false });
  for (const its of both) its.end(DONE);
  expect(told(resends, one)).toEqual({ lost: "done" });
  await Promise.resolve();
  expect(told(resends, cut)).toBe("first");
});

verifies("resend.restart", "without a key, only what is still kept may come again", async () => {
  const { resends, again: start } = stand();
  const [unheard, heard] = [sent(null), sent(null, { tool: "item_heard" })];
  await run(resends, unheard);
  first(resends.claim(heard, Promise.resolve(true))).end(DONE);
  await Promise.resolve();
  const next = start([recalled(unheard, 10), recalled(heard, 10)]);
  expect(told(next, unheard)).toEqual(DONE);
  expect(told(next, heard)).toBe("first");
});

verifies(
  "resend.restart",
  "a start takes over what may come again, for the rest of its time",
  () => {
    const { resends, clock, again: start } = stand();
    const [kept, gone, cut, old] = [sent("k1"), sent("k2"), sent(null), sent("k3")];
    first(resends.claim(kept, undefined)).end(DONE);
    const next = start([
      recalled(old, 600_000),
      recalled(kept, 100_000),
      recalled(gone, 100_000),
      recalled(cut, 50_000, true),
      // The clock was set back since.
      recalled(sent("k4"), -3_600_000),
    ]);
    expect(told(next, sent("k1"))).toEqual(DONE);
    expect(told(next, sent("k2"))).toEqual({ lost: "done" });
    expect(told(next, sent(null))).toEqual({ lost: "unknown" });
    expect(told(next, sent("k3"))).toBe("first");
    clock.ms += 500_000;
    expect(told(next, sent("k1"))).toBe("first");
    expect(told(next, sent("k4"))).toEqual({ lost: "done" });
    clock.ms += 100_000;
    expect(told(next, sent("k4"))).toBe("first");
  },
);

verifies("resend.restart", "a start removes what the ledger does not know of", async () => {
  const { resends, again: start, file } = stand();
  await run(resends, sent("k"));
  start([]);
  const db = new DatabaseSync(file, { readOnly: true });
  expect(db.prepare("SELECT * FROM answers").all()).toEqual([]);
  db.close();
});

verifies("resend.restart", "a store that is none is made anew; its answers are lost", async () => {
  const damages: ((file: string) => void)[] = [
    (file) => writeFileSync(file, "no database"),
    (file) => {
      // Its first page is whole; all that is in it is not.
      const fd = openSync(file, "r+");
      writeSync(fd, Buffer.alloc(4096, 0xff), 0, 4096, 4096);
      closeSync(fd);
    },
  ];
  for (const damage of damages) {
    const { resends, again: start, file } = stand();
    const one = sent("k");
    await run(resends, one);
    const next = start([recalled(one, 0)], () => damage(file));
    expect(told(next, sent("k"))).toEqual({ lost: "done" });
    first(next.claim(sent("k2"), undefined)).end(DONE);
    expect(told(next, sent("k2"))).toEqual(DONE);
  }
});

verifies("resend.bounded", "what takes most fits what is reserved for it", async () => {
  const { resends } = stand({
    resend_bytes_per_user_max: ANSWER_BYTES_MAX,
    resend_bytes_max: ANSWER_BYTES_MAX,
  });
  // As long as a result may be, by result_tokens_max.
  const longest = { result: { text: "x".repeat(3000 - '{"text":""}'.length) } };
  first(resends.claim(sent("k"), undefined)).end(longest);
  expect(told(resends, sent("k"))).toEqual(longest);
});

verifies(
  "resend.bounded",
  "an answer that does not fit is lost; that it ran is known",
  async () => {
    const { resends } = stand({
      resend_bytes_per_user_max: ANSWER_BYTES_MAX,
      resend_bytes_max: ANSWER_BYTES_MAX,
    });
    const reason = "x".repeat(ANSWER_BYTES_MAX);
    const refusal = { code: "timeout", effect: "unknown", reason } as const;
    first(resends.claim(sent("k"), undefined)).end({ refusal });
    await Promise.resolve();
    expect(told(resends, sent("k"))).toEqual({ lost: "unknown" });
  },
);
