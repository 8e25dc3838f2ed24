/**
 * The HTTP side of workflow-svc: every route of the contracts that names this service, registered on one Fastify instance.
 * experiment-routes · version-routes · template-routes · run-routes · admin-routes; views.ts turns values into bodies.
 */
import type { FastifyInstance } from "fastify";
import { registerAdminRoutes } from "./admin-routes.ts";
import { registerExperimentRoutes } from "./experiment-routes.ts";
import { registerRunRoutes } from "./run-routes.ts";
import { registerTemplateRoutes } from "./template-routes.ts";
import { registerVersionRoutes } from "./version-routes.ts";

export type ApiDeps = Parameters<typeof registerExperimentRoutes>[1] &
  Parameters<typeof registerAdminRoutes>[1];

export function registerApi(app: FastifyInstance, deps: ApiDeps): void {
  registerExperimentRoutes(app, deps);
  registerVersionRoutes(app, deps);
  registerTemplateRoutes(app, deps);
  registerRunRoutes(app, deps);
  registerAdminRoutes(app, deps);
}
