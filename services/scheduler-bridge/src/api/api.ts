/**
 * The HTTP side of scheduler-bridge: every route of the contracts that names this service, registered on one Fastify instance.
 */
import type { FastifyInstance } from "fastify";
import { registerAdminRoutes } from "./admin-routes.ts";
import { registerBackfillRoutes } from "./backfill-routes.ts";
import type { RouteDeps } from "./context.ts";
import { registerEventTriggerRoutes } from "./event-trigger-routes.ts";
import { registerFireRoutes } from "./fire-routes.ts";
import { registerPublicationRoutes } from "./publication-routes.ts";
import { registerScheduleRoutes } from "./schedule-routes.ts";
import { registerTriggerRoutes } from "./trigger-routes.ts";

export type ApiDeps = Parameters<typeof registerAdminRoutes>[1] &
  Parameters<typeof registerPublicationRoutes>[1] &
  Parameters<typeof registerScheduleRoutes>[1] &
  Parameters<typeof registerTriggerRoutes>[1] &
  Parameters<typeof registerEventTriggerRoutes>[1] &
  RouteDeps;

export function registerApi(app: FastifyInstance, deps: ApiDeps): void {
  registerPublicationRoutes(app, deps);
  registerScheduleRoutes(app, deps);
  registerBackfillRoutes(app, deps);
  registerFireRoutes(app, deps);
  registerTriggerRoutes(app, deps);
  registerEventTriggerRoutes(app, deps);
  registerAdminRoutes(app, deps);
}
