// What a session is shown of the rules: as much as is fixed for it, and as JSON Schema can say.
import { describe, expect } from "vitest";
import { compilePolicy } from "../../../src/policy/policy.ts";
import type { Who } from "../../../src/policy/who.ts";
import { verifies } from "../../verifies.ts";
import { configFrom, minimalConfig, withRoles } from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";
import { catalog, configWith, WHO } from "../../setup/ruled.ts";

describe("the advertised schema", () => {
  const schemaFor = (grant: Json, role?: unknown, who: Who = WHO): Json => {
    const surface = compilePolicy(configWith(grant, role), catalog()).surface(who, "desk");
    return surface.list.find(({ name }) => name === "item_put")?.inputSchema as Json;
  };

  verifies("policy.narrowed", "bounds, values, patterns, formats and claims are in it", () => {
    const schema = schemaFor({
      arguments: {
        amount: { minimum: 1, maximum: 100 },
        text: { equals: "principal.email" },
        other: { pattern: "a+", maxLength: 5 },
        list: { items: { enum: ["a"] } },
        flag: { absent: true },
        maybe: { not: { const: "x" }, optional: true },
      },
    });
    expect(schema).toMatchObject({
      required: ["id", "amount", "text", "other", "list"],
      properties: {
        amount: { type: "number", minimum: 1, maximum: 100 },
        text: { enum: ["ada@acme.test"] },
        other: { maxLength: 5, allOf: [{ pattern: "^(?:a+)$" }] },
        list: { maxItems: 100, items: { type: "string", enum: ["a"] } },
        maybe: { allOf: [{ not: { enum: ["x"] } }] },
      },
    });
    expect(schema["properties"]).not.toHaveProperty("flag");
  });

  verifies("policy.narrowed", "another user's claims, and two roles' limits, are not in it", () => {
    const grant = { arguments: { text: { equals: "principal.email" } } };
    const eve = { ...WHO, attributes: { email: "eve@acme.test" } };
    expect(JSON.stringify(schemaFor(grant, "all", eve))).not.toContain("ada@");
    const role = { tools: { item_put: { arguments: { amount: { maximum: 5 } } } } };
    expect(schemaFor({}, role)).toMatchObject({ properties: { amount: { maximum: 5 } } });
    const agents = { desk: { title: "d", purpose: "p", tools: { item_put: {} } } };
    const roles = { clerk: { desk: role }, boss: { desk: "all" } };
    const policy = compilePolicy(configFrom(minimalConfig({ agents, roles })), catalog());
    const both = policy.surface(withRoles(["boss", "clerk"]), "desk").get("item_put")?.input_schema;
    expect(both).toMatchObject({ properties: { amount: { type: "number" } } });
    expect(JSON.stringify(both)).not.toContain("maximum");
  });

  verifies("policy.narrowed", "a tool without rules is listed as it is", () => {
    const policy = compilePolicy(configWith({}), catalog());
    const door = policy.surface(WHO, "desk").get("item_put");
    expect(door?.input_schema).toBe(catalog().tools.get("item_put")?.input_schema);
  });
});
