// Apps and routers as things that are made.
import type { Machine } from "./machine.ts";
import type { Router, RouterAt } from "./values.ts";

export function newRouter(
  machine: Machine,
  framework: Router["framework"],
  isApp: boolean,
): RouterAt {
  const router: Router = {
    framework,
    isApp,
    routes: [],
    mounts: [],
    decorated: new Set(),
    isMounted: false,
  };
  machine.routers.push(router);
  return { kind: "router", router, base: "" };
}

/** What a plugin is given. */
export function newChild(machine: Machine, of: Router): RouterAt {
  return newRouter(machine, of.framework, false);
}

/** One path behind another, with one slash between them. */
export function joinPaths(before: string, after: string): string {
  const [a, b] = [before.replace(/\/+$/, ""), after.replace(/^\/+/, "")];
  return b === "" ? a : `${a}/${b}`;
}
