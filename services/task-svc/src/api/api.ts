/**
 * The HTTP side of task-svc: every route of the contracts that names this service, registered on one Fastify instance.
 * task-routes · stream-routes · event-stream · code-package-routes · admin-routes; views.ts turns domain values into bodies.
 */
import type { FastifyInstance } from "fastify";
import { registerAdminRoutes } from "./admin-routes.ts";
import { registerCodePackageRoutes } from "./code-package-routes.ts";
import { registerEventStream } from "./event-stream.ts";
import { registerStreamRoutes } from "./stream-routes.ts";
import { registerTaskRoutes } from "./task-routes.ts";

export type ApiDeps = Parameters<typeof registerTaskRoutes>[1] &
  Parameters<typeof registerStreamRoutes>[1] &
  Parameters<typeof registerEventStream>[1] &
  Parameters<typeof registerCodePackageRoutes>[1] &
  Parameters<typeof registerAdminRoutes>[1];

export function registerApi(app: FastifyInstance, deps: ApiDeps): void {
  registerTaskRoutes(app, deps);
  registerStreamRoutes(app, deps);
  registerEventStream(app, deps);
  registerCodePackageRoutes(app, deps);
  registerAdminRoutes(app, deps);
}
