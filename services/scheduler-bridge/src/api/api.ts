/**
 * The HTTP side of scheduler-bridge: every route of the contracts that names this service, registered on one Fastify instance.
 */
import type { FastifyInstance } from "fastify";
import { registerAdminRoutes } from "./admin-routes.ts";
import type { RouteDeps } from "./context.ts";

export type ApiDeps = Parameters<typeof registerAdminRoutes>[1] & RouteDeps;

export function registerApi(app: FastifyInstance, deps: ApiDeps): void {
  registerAdminRoutes(app, deps);
}
