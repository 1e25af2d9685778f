// What generated code reaches of a surface: no tool that a human must approve, whatever it does.
import { expect } from "vitest";
import { createSurface, innerSurface, listingOf } from "../../../src/policy/surface.ts";
import { verifies } from "../../verifies.ts";
import { catalogOf, toolFile, WRITES } from "../../setup/minimal.ts";

verifies(
  ["approval.human", "sandbox.inner-calls"],
  "generated code reaches neither tools that write nor tools that a human must approve",
  () => {
    const names = ["read", "read_approved", "write", "write_approved"];
    const catalog = catalogOf(
      ...names.map((name) => toolFile(name, name.startsWith("write") ? WRITES : {})),
    );
    const rule = "mcp.config.json:1";
    const doors = [...catalog.tools.values()].map((tool) => {
      const approve = tool.name.endsWith("_approved") ? ("human" as const) : undefined;
      const judge = () => ({ allowed: true as const, approve, rule });
      const listed = listingOf(tool);
      return { tool, approve, rule, input_schema: { ...tool.input_schema }, listed, judge };
    });
    const inner = innerSurface(createSurface(doors, "sha256:0"));
    expect(inner.list.map(({ name }) => name)).toEqual(["read"]);
  },
);
