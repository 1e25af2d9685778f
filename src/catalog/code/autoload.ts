// `@fastify/autoload`: plugins are the files of a folder, and a file's folder is its prefix.
import type { Machine } from "./machine.ts";
import { record, plain, textOf } from "./values.ts";
import type { Value } from "./values.ts";

export interface PluginFile {
  readonly file: string;
  readonly prefix: string;
  /** Options for each of them. */
  readonly given: Value;
}

const INDEX = /^index\.[cm]?[jt]s$/;
const SCRIPT = /\.[cm]?[jt]sx?$/;
const FILTERS = ["ignorePattern", "ignoreFilter", "matchFilter", "indexPattern", "scriptPattern"];

function fieldOf(options: Value, name: string): Value | undefined {
  return options.kind === "record" ? options.fields.get(name) : undefined;
}

function isSet(options: Value, name: string, to: boolean): boolean {
  const value = fieldOf(options, name);
  return value?.kind === "plain" && value.value === to;
}

export function folderIn(options: Value): string {
  return textOf(fieldOf(options, "dir")) ?? "";
}

/** Whether some of the files may be left out, or others be meant. */
export function isFiltered(options: Value): boolean {
  return FILTERS.some((name) => fieldOf(options, name) !== undefined);
}

/** The files, as far as the folder is known; an index stands for the others beside it. */
export function filesIn(
  machine: Machine,
  options: Value,
  folder: string,
): readonly PluginFile[] | undefined {
  if (folder === "" || machine.names(folder) === undefined) return undefined;
  const given = fieldOf(options, "options") ?? record();
  const found: PluginFile[] = [];
  const walk = (path: string, prefix: string): void => {
    const names = machine.names(`${folder}${path}`) ?? [];
    const index = names.filter((name) => INDEX.test(name));
    for (const name of index.length > 0 ? index : names.filter((one) => SCRIPT.test(one))) {
      found.push({ file: `${folder}${path}/${name}`, prefix, given });
    }
    for (const name of names.filter((one) => !one.includes("."))) {
      const isParameter = name.startsWith("_") && isSet(options, "routeParams", true);
      const own = isParameter ? `:${name.slice(1)}` : name;
      const isNameless = isSet(options, "dirNameRoutePrefix", false);
      walk(`${path}/${name}`, isNameless ? prefix : `${prefix}/${own}`);
    }
  };
  walk("", "");
  return found;
}

/** What such a plugin is registered with: it may have a prefix of its own. */
export function optionsOf({ prefix, given }: PluginFile, module: Value, plugin: Value): Value {
  const own = (name: string): string | undefined => {
    const fromFunction = plugin.kind === "function" ? plugin.fields.get(name) : undefined;
    const fromModule = module.kind === "module" ? module.get(name) : undefined;
    return textOf(fromFunction) ?? textOf(fromModule);
  };
  const outer = textOf(fieldOf(given, "prefix")) ?? "";
  const whole = own("prefixOverride") ?? `${outer}${own("autoPrefix") ?? prefix}`;
  const fields = given.kind === "record" ? given.fields : [];
  return record([...fields, ["prefix", plain(whole)]]);
}
