// A door: one tool that a session has, with what the policy asks of its calls. Frozen; what only
// some ask for (its rule's lines, the schema it is shown with) is made when they do.
import type { ToolDefinition } from "../catalog/definition.ts";
import { advertised } from "./advertise.ts";
import type { Verdict } from "./grant.ts";
import { approvalOf, bindingIn, judge, ruleOf } from "./opening.ts";
import type { Opened } from "./opening.ts";
import type { Facts } from "./says.ts";
import { listingOf, schemaOf } from "./surface.ts";
import type { Door, ListedTool } from "./surface.ts";
import type { Who } from "./who.ts";

class OpenDoor implements Door {
  readonly tool: ToolDefinition;
  readonly approve: "human" | undefined;
  readonly #opened: Opened;
  readonly #who: Who;
  #rule: string | undefined;
  #input_schema: Door["input_schema"] | undefined;
  #listed: ListedTool | undefined;

  constructor(tool: ToolDefinition, opened: Opened, who: Who) {
    this.tool = tool;
    this.approve = approvalOf(opened);
    this.#opened = opened;
    this.#who = who;
    Object.freeze(this);
  }

  get rule(): string {
    return (this.#rule ??= ruleOf(this.#opened));
  }

  get input_schema(): Door["input_schema"] {
    const { tool } = this;
    return (this.#input_schema ??= advertised(schemaOf(tool), bindingIn(this.#opened), this.#who));
  }

  get listed(): ListedTool {
    return (this.#listed ??= listingOf(this.tool, this.input_schema));
  }

  judge(args: Readonly<Record<string, unknown>>, facts: Facts): Verdict {
    return judge(this.#opened, args, facts);
  }
}

/** Its door for this user; another's with the same roles may be shown another schema. */
export function doorOf(tool: ToolDefinition, opened: Opened, who: Who): Door {
  return new OpenDoor(tool, opened, who);
}

/** Whether a claim of the user decides what the tool is shown with. */
export function isPersonal(opened: Opened): boolean {
  return bindingIn(opened).some(({ claims }) => claims.length > 0);
}
