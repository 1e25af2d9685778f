// Every route at its whole path: a router's own, and those of the routers that it mounts.
import { joinPaths } from "./routers.ts";
import type { Said } from "./said.ts";
import type { Route, Router } from "./values.ts";

const DEPTH_MAX = 24;
const ROUTES_MAX = 20_000;
const VISITS_MAX = 50_000;

export interface Placed {
  readonly route: Route;
  readonly path: string;
  readonly notes: readonly string[];
}

export function flatten(routers: readonly Router[], said: Said): readonly Placed[] {
  const placed: Placed[] = [];
  const seen = new Set<Router>();
  let visits = 0;
  const walk = (
    router: Router,
    prefix: string | undefined,
    notes: readonly string[],
    above: readonly Router[],
  ): void => {
    visits += 1;
    if (above.includes(router) || above.length > DEPTH_MAX || visits > VISITS_MAX) return;
    seen.add(router);
    for (const route of router.routes) {
      const { method, path, at } = route;
      const all = [...notes, ...route.notes];
      if (prefix === undefined) {
        said.say("prefix_computed", at.scope.source, at.node, `${method} …${path}`);
      } else if (placed.length < ROUTES_MAX) {
        placed.push({ route, path: joinPaths(prefix, path), notes: [...new Set(all)] });
      }
    }
    for (const mount of router.mounts) {
      const below =
        prefix === undefined || mount.prefix === undefined
          ? undefined
          : joinPaths(prefix, mount.prefix);
      walk(mount.router, below, [...notes, ...mount.notes], [...above, router]);
    }
  };
  for (const router of routers) if (router.isApp && !router.isMounted) walk(router, "", [], []);
  const isCut = visits > VISITS_MAX || placed.length >= ROUTES_MAX;
  if (isCut) said.sayOf("too_many_steps", { file: "", line: 0 }, "more routes than are listed");
  for (const router of routers) if (!seen.has(router)) unmounted(router, said);
  return placed;
}

// Its routes are there, and nobody knows where.
function unmounted(router: Router, said: Said): void {
  for (const { method, path, at } of router.routes) {
    said.say("router_unmounted", at.scope.source, at.node, `${method} …${path}`);
  }
}
