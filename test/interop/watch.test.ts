// Hot reload: what an author saves is what clients are told of, and a mistake changes nothing.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client as OlderClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import { expect } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { ConfigError } from "../../src/config/problem.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { startCore } from "../../src/main.ts";
import { createLogger } from "../../src/telemetry/log.ts";
import { openHouse } from "../setup/house.ts";
import { verifies } from "../verifies.ts";

verifies(
  ["mcp.older-session", "sandbox.author"],
  "a reloaded catalogue reaches clients as list_changed",
  async () => {
    const house = await openHouse();
    const folder = mkdtempSync(join(tmpdir(), "doorless-watch-"));
    const tools = join(folder, "tools");
    cpSync("tools", tools, { recursive: true });
    // The same world, with a doorless of its own whose tools an author edits.
    const text = readFileSync(join(house.data, "mcp.config.json"), "utf8")
      .replace(/"tools": ".*"/, `"tools": ${JSON.stringify(tools)}`)
      .replace(/"listen": .*/, '"listen": { "host": "127.0.0.1", "port": 0 },')
      .replaceAll("file:keys/", `file:${house.data}/keys/`);
    writeFileSync(join(folder, "mcp.config.json"), text);
    const SECRET = readFileSync(join(house.data, "keys", "client_secret"), "utf8");
    const config = loadConfig(join(folder, "mcp.config.json"), { SECRET });
    const log = createLogger("silent");
    const onFatal = (error: unknown): void => expect.fail(String(error));
    const options = { config, clock: systemClock, log, onFatal };
    const core = await startCore({ ...options, allow_demo: true, for_author: true });
    const client = new OlderClient({ name: "author", version: "1" });
    try {
      const headers = { authorization: `Bearer ${await house.token("dana", "support")}` };
      const url = new URL(`http://127.0.0.1:${core.port}/mcp/support`);
      const transport = new StreamableHTTPClientTransport(url, { requestInit: { headers } });
      await client.connect(transport);
      const heard = { of_change: false };
      client.setNotificationHandler(ToolListChangedNotificationSchema, () => {
        heard.of_change = true;
      });
      const file = join(tools, "crm", "crm_get_customer.tool.yaml");
      const before = readFileSync(file, "utf8");
      // The client's stream opens beside its first request; changes go on until it heard of one.
      for (let n = 0; !heard.of_change; n++) {
        writeFileSync(file, before.replace(/^title: .*/m, `title: Draft ${n}`));
        await core.reload();
      }
      writeFileSync(file, before.replace(/^title: .*/m, "title: Another title"));
      await core.reload();
      const titles = (await client.listTools()).tools.map((tool) => tool.title);
      expect(titles).toContain("Another title");

      const code = join(tools, "crm", "crm_pipeline_summary.tool.ts");
      const written = readFileSync(code, "utf8");
      writeFileSync(code, written.replace("Sum up the pipeline", "Another sum"));
      await core.reload();
      const mia = { authorization: `Bearer ${await house.token("mia", "sales")}` };
      const sales = new OlderClient({ name: "author", version: "1" });
      const at = new URL(`http://127.0.0.1:${core.port}/mcp/sales`);
      await sales.connect(new StreamableHTTPClientTransport(at, { requestInit: { headers: mia } }));
      const titlesOfSales = async (): Promise<unknown[]> =>
        (await sales.listTools()).tools.map((tool) => tool.title);
      expect(await titlesOfSales()).toContain("Another sum");
      writeFileSync(code, written.replace("defineTool({", "defineTool({{"));
      await expect(core.reload()).rejects.toThrow(/no TypeScript that Node can run/);
      expect(await titlesOfSales()).toContain("Another sum");
      await sales.close();
      writeFileSync(code, written);

      writeFileSync(file, before.replace(/^operation: .*/m, "operation: nonsense"));
      await expect(core.reload()).rejects.toBeInstanceOf(ConfigError);
      expect((await client.listTools()).tools.map((tool) => tool.title)).toEqual(titles);
    } finally {
      await client.close();
      await core.stop();
      await house.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
