// Whether arguments fit a tool, before any rule looks at them: its schema, and the request that
// they make. The gate asks it of each call, and `explain` of a call that might be.
import type { ToolDefinition } from "../catalog/definition.ts";
import { mismatches } from "../contract/schema.ts";
import { refusal } from "../kernel/errors.ts";
import { no, ok } from "../kernel/result.ts";
import type { Result } from "../kernel/result.ts";
import { buildRequest, buildUpstream } from "../sandbox/request.ts";
import type { BrokerRequest } from "../sandbox/request.ts";

/** What a tool that is data would send, nothing for code; or `invalid_arguments`. */
export function fits(
  tool: ToolDefinition,
  args: unknown,
  request_bytes_max: number,
): Result<BrokerRequest | undefined> {
  const wrong = mismatches(tool.input_schema, args);
  if (wrong.length > 0) {
    const said = wrong.map(({ path, expected }) => `${path || "/"}: expected ${expected}`);
    const details = { arguments: wrong };
    return no(refusal("invalid_arguments", { reason: `${said.join("; ")}.`, details }));
  }
  if (tool.kind === "code" || tool.kind === "generated") return ok(undefined);
  const given = args as Readonly<Record<string, unknown>>;
  const request = tool.kind === "upstream" ? buildUpstream(tool, given) : buildRequest(tool, given);
  if (!request.ok) return request;
  const bytes = Buffer.byteLength(request.value.body ?? "");
  const max = request_bytes_max;
  if (bytes <= max) return request;
  const reason = `The request to the API would have ${bytes} bytes, and ${max} are allowed.`;
  const details = { limit: "request_bytes_max", bytes, max };
  return no(refusal("invalid_arguments", { reason, details }));
}
