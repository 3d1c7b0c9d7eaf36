import type { Route } from "./openapi.ts";

/**
 * The route of a request with its decoded parameters, or the methods that its path supports; null for an unknown path.
 */
export type Found = { route: Route; params: Record<string, string> } | { allowed: string[] } | null;

/**
 * Creates a lookup of routes by the same patterns as Elysia's. The door does this before any parsing, because it must
 * know what a path requires and which methods it supports.
 */
export function createRouteTable(routes: readonly Route[]): (method: string, pathname: string) => Found {
  const table = routes
    .map((route) => ({ route, pattern: new RegExp(`^${route.path.replace(/:(\w+)/g, "(?<$1>[^/]+)")}/?$`) }))
    // A fixed segment goes before a parameter in the same place.
    .sort((a, b) => (a.route.path.replaceAll(":", "\uffff") < b.route.path.replaceAll(":", "\uffff") ? -1 : 1));

  return (method, pathname) => {
    const allowed = new Set<string>();
    for (const { route, pattern } of table) {
      const match = pattern.exec(pathname);
      if (!match) continue;
      if (route.method === method) {
        const params = Object.entries(match.groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)]);
        return { route, params: Object.fromEntries(params) };
      }
      allowed.add(route.method);
      if (route.method === "GET") allowed.add("HEAD");
    }
    return allowed.size > 0 ? { allowed: [...allowed].sort() } : null;
  };
}
