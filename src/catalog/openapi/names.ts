// Names that a tool file may have, out of those that an API has.
import { createHash } from "node:crypto";

const NAME_CHARS_MAX = 48;
const MARK_CHARS = 6;

/** `filter[dealId]` is `filter_deal_id`; empty where nothing of it can be a name. */
export function snake(text: string): string {
  return text
    .slice(0, 500)
    .normalize("NFKD")
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, "$1_$2")
    .toLowerCase()
    .replaceAll(/\p{M}/gu, "")
    .replaceAll(/[^a-z0-9]+/g, "_")
    .replaceAll(/^_+|_+$/g, "");
}

/**
 * A tool's name: the connector's, then what the API calls the operation. One that is cut, or taken
 * by another operation, ends in a mark of its own operation, whatever was imported before.
 */
export function toolName(
  connector: string,
  { id, method, path }: { readonly id: string | undefined; method: string; path: string },
  taken: (name: string) => boolean,
): string {
  const own = snake(id ?? "") || snake(`${method} ${path}`);
  const prefix = snake(connector) || "api";
  const whole = own === prefix || own.startsWith(`${prefix}_`) ? own : `${prefix}_${own}`;
  const name = /^[a-z]/.test(whole) ? whole : `api_${whole}`;
  if (name.length <= NAME_CHARS_MAX && !taken(name)) return name;
  const mark = createHash("sha256").update(`${method} ${path}`).digest("hex");
  for (let chars = MARK_CHARS; ; chars += 2) {
    const end = `_${mark.slice(0, chars)}`;
    const cut = name.slice(0, NAME_CHARS_MAX - end.length).replace(/_+$/, "");
    if (!taken(cut + end) || chars >= 32) return cut + end;
  }
}

/** Names for arguments: each once, each as near to its wire name as it can be. */
export class ArgumentNames {
  private readonly taken = new Set<string>();

  take(wire: string, place: string): string {
    const bare = snake(wire) || place;
    const stem = (/^[a-z]/.test(bare) ? bare : `${place}_${bare}`).slice(0, NAME_CHARS_MAX);
    const also = `${stem.slice(0, NAME_CHARS_MAX - place.length - 1)}_${place}`;
    let name = this.taken.has(stem) ? also : stem;
    for (let n = 2; this.taken.has(name); n++) {
      const end = `_${n}`;
      name = also.slice(0, NAME_CHARS_MAX - end.length) + end;
    }
    this.taken.add(name);
    return name;
  }
}

/** `/repos/{owner}/issues/{number}` is about an `issue`. */
export function singular(text: string): string {
  const name = snake(text);
  if (name.endsWith("ies") && name.length > 4) return `${name.slice(0, -3)}y`;
  if (/(?:ss|x|ch|sh)es$/.test(name)) return name.slice(0, -2);
  return /[^su]s$/.test(name) ? name.slice(0, -1) : name;
}
