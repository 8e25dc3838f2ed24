/** Paths of routes: as Fastify spells them, filled in by a client, matched by the local proxy. */
import { ROUTES, type RouteDefinition, type ServiceName } from "./routes.ts";

/** `/v1/tasks/{task_id}` → `/v1/tasks/:task_id`, Fastify's spelling. */
export function fastifyPath(route: Pick<RouteDefinition, "path">): string {
  return route.path.replace(/\{(\w+)\}/g, ":$1");
}

/** Fills `{name}`s; every value is percent-encoded. */
export function fillPath(
  route: Pick<RouteDefinition, "path">,
  params: Readonly<Record<string, string>> = {},
): string {
  return route.path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = params[name];
    if (value === undefined) throw new TypeError(`path ${route.path} needs ${name}`);
    return encodeURIComponent(value);
  });
}

/** Matches every path of the route. */
export function pathPattern(route: Pick<RouteDefinition, "path">): RegExp {
  return new RegExp(`^${route.path.replace(/\{\w+\}/g, "[^/]+")}$`);
}

const patterns: readonly {
  readonly service: ServiceName;
  readonly pattern: RegExp;
  readonly literals: number;
}[] = Object.values<RouteDefinition>(ROUTES)
  .map((route) => ({
    service: route.service,
    pattern: pathPattern(route),
    literals: route.path.split("/").filter((part) => !part.startsWith("{")).length,
  }))
  .sort((a, b) => b.literals - a.literals);

/** Which service answers a path (the local proxy, D30); undefined when none does. */
export function serviceForPath(pathname: string): ServiceName | undefined {
  return patterns.find(({ pattern }) => pattern.test(pathname))?.service;
}
