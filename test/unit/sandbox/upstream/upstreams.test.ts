// Whose session of an MCP server is whose, when its tools are looked at, and how it ends.
import { expect } from "vitest";
import type { UpstreamDefinition } from "../../../../src/contract/upstream.ts";
import type { Credential } from "../../../../src/kernel/principal.ts";
import { refusal } from "../../../../src/kernel/errors.ts";
import { EventStream } from "../../../../src/sandbox/upstream/event-stream.ts";
import type {
  UpstreamAnswer,
  UpstreamTurn,
  UpstreamWay,
} from "../../../../src/sandbox/upstream/upstream.ts";
import { Upstreams } from "../../../../src/sandbox/upstream/upstreams.ts";
import { verifies } from "../../../verifies.ts";

type Listed = UpstreamAnswer<readonly UpstreamDefinition[]>;
const TOOLS = [{ name: "a", inputSchema: {} }];
const FINE: Listed = { ok: true, value: TOOLS };

function serving(list: () => Promise<Listed> = () => Promise.resolve(FINE)) {
  let now_ms = 1000;
  const opened: { closed: boolean; lists: number; changed: () => void }[] = [];
  const way: UpstreamWay = {
    endpoint: "https://mcp.test/mcp",
    check_s: 60,
    open(_owner, changed) {
      const one = { closed: false, lists: 0, changed };
      opened.push(one);
      return {
        list: () => (one.lists++, list()),
        call: () =>
          Promise.resolve({ ok: false, refusal: refusal("timeout"), sent: true, gone: true }),
        close: () => Promise.resolve(void (one.closed = true)),
      };
    },
    close: () => Promise.resolve(),
  };
  const clock = { now: () => now_ms, monotonic: () => now_ms };
  const upstreams = new Upstreams(new Map([["hub", way]]), clock);
  upstreams.onListed(() => Promise.resolve(AS_APPROVED));
  return { upstreams, opened, pass: (ms: number) => void (now_ms += ms) };
}

const credentialOf = (user: string): Credential => ({ user }) as unknown as Credential;
const owner = (user: string, session = `s-${user}`, rights = "r") => {
  return { credential: credentialOf(user), user, session, rights };
};
const TURN = {} as UpstreamTurn;
const WANTED = { tool: "hub_a", upstream: "a", pinned: "p" };
const AS_APPROVED = new Map([["hub_a", { pinned: "p", rules: [] as string[] }]]);

verifies(
  "upstream.as-the-user",
  "users, sessions and rights never share a session of the server",
  async () => {
    const { upstreams, opened } = serving();
    for (const one of [
      owner("ada"),
      owner("bob"),
      owner("ada", "other"),
      owner("ada", "s-ada", "more"),
    ]) {
      await upstreams.look("hub", one, WANTED, TURN);
      await upstreams.look("hub", one, WANTED, TURN);
    }
    expect(opened.map(({ lists }) => lists)).toEqual([1, 1, 1, 1]);
    await upstreams.close();
    expect(opened.every(({ closed }) => closed)).toBe(true);
  },
);

verifies(
  "upstream.session",
  "it ends with the access that it was opened with, and with no other",
  async () => {
    const { upstreams, opened } = serving();
    for (const user of ["ada", "bob"]) await upstreams.look("hub", owner(user), WANTED, TURN);
    const isAda = (one: Credential): boolean => (one as unknown as { user: string }).user === "ada";
    upstreams.endSessions(isAda);
    expect(opened.map(({ closed }) => closed)).toEqual([true, false]);
    await upstreams.look("hub", owner("ada"), WANTED, TURN);
    expect(opened).toHaveLength(3);
    await upstreams.close();
  },
);

verifies(
  "upstream.drift",
  "its tools are looked at when the look is old, the server says so, or has forgotten",
  async () => {
    const { upstreams, opened, pass } = serving();
    const told: string[] = [];
    const listed: unknown[] = [];
    upstreams.onChanged((connector) => void told.push(connector));
    upstreams.onListed((_connector, tools) => {
      listed.push(tools);
      return Promise.resolve(AS_APPROVED);
    });
    const look = async (): Promise<number> => {
      await upstreams.look("hub", owner("ada"), WANTED, TURN);
      return opened[0]?.lists ?? 0;
    };
    expect([await look(), await look()]).toEqual([1, 1]);
    pass(60_000);
    expect(await look()).toBe(2);
    opened[0]?.changed();
    expect([await look(), told]).toEqual([3, ["hub"]]);
    await upstreams.call("hub", owner("ada"), { name: "a", args: {} }, TURN);
    expect([await look(), listed.length]).toEqual([4, 4]);
    await upstreams.close();
  },
);

verifies(
  "upstream.drift",
  "two calls at once wait for one look; one that failed is the other's to try",
  async () => {
    const answers: Listed[] = [{ ok: false, refusal: refusal("cancelled"), sent: true }, FINE];
    const { upstreams, opened } = serving(() => Promise.resolve(answers.shift() ?? FINE));
    const look = () => upstreams.look("hub", owner("ada"), WANTED, TURN);
    const both = await Promise.all([look(), look()]);
    expect(both.map(({ ok }) => ok)).toEqual([false, true]);
    expect(opened[0]?.lists).toBe(2);
    // What a look says of itself, the call had not been sent.
    expect(both[0]).toMatchObject({ sent: false });
    await upstreams.close();
  },
);

verifies(
  "upstream.drift",
  "a look that saw the tool otherwise, or held against another pin, is not asked again",
  async () => {
    const { upstreams, opened } = serving();
    const rules = ["mcp-tool-title-changed"];
    let seen = new Map([["hub_a", { pinned: "p", rules }]]);
    upstreams.onListed(() => Promise.resolve(seen));
    const look = (pinned = "p") => upstreams.look("hub", owner("ada"), { ...WANTED, pinned }, TURN);
    const lists = () => opened[0]?.lists;
    expect(await look()).toMatchObject({ ok: true, value: { seen } });
    // Whatever others have seen meanwhile.
    expect(await look()).toMatchObject({ ok: true, value: { seen } });
    expect(lists()).toBe(2);
    seen = AS_APPROVED;
    await look();
    await look();
    expect(lists()).toBe(3);
    await look("another");
    expect(lists()).toBe(4);
    // Of a tool that her list does not have, nothing more is to be seen.
    await upstreams.look("hub", owner("ada"), { ...WANTED, upstream: "b", tool: "hub_b" }, TURN);
    expect(lists()).toBe(4);
    await upstreams.close();
  },
);

verifies("upstream.drift", "a look that nobody could judge is made again", async () => {
  const { upstreams, opened } = serving();
  const look = () => upstreams.look("hub", owner("ada"), WANTED, TURN);
  upstreams.onListed(() => Promise.reject(new Error("the lock cannot be read")));
  await expect(look()).rejects.toThrow("the lock");
  upstreams.onListed(() => Promise.resolve(AS_APPROVED));
  expect(await look()).toMatchObject({ ok: true });
  expect(opened[0]?.lists).toBe(2);
  await upstreams.close();
});

verifies("upstream.hostile", "events are read as they come, wherever their bytes are cut", () => {
  const text =
    'id: 1\ndata:\n\n: hush\r\nevent: message\r\ndata: {"a":\r\ndata: "é"}\r\n\r\ndata: 2\n\n';
  const bytes = Buffer.from(text);
  for (let size = 1; size <= bytes.length; size++) {
    const stream = new EventStream();
    const found: string[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      found.push(...stream.feed(bytes.subarray(at, at + size)));
    }
    expect(found).toEqual(['{"a":\n"é"}', "2"]);
  }
});
