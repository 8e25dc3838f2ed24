/** Fires over HTTP, for people; what a published flow's script asks is elsewhere. */
import { ROUTES } from "@aiep/contracts";
import { registerRoute } from "@aiep/service-kit";
import type { FastifyInstance } from "fastify";
import { findFire, listFires } from "../operations/fires.ts";
import { fireView } from "../store/fire-rows.ts";
import type { RouteDeps } from "./context.ts";

export function registerFireRoutes(app: FastifyInstance, deps: RouteDeps): void {
  registerRoute(app, ROUTES.listFires, async ({ principal, query }) => {
    const { items, nextCursor } = await listFires(deps, principal, query);
    return { body: { items: [...items], next_cursor: nextCursor } };
  });

  registerRoute(app, ROUTES.getFire, async ({ principal, params }) => ({
    body: fireView(await findFire(deps, principal, params.fire_id)),
  }));
}
