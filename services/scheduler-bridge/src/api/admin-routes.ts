/** Dead letters of this service (D9), for administrators; the route definitions carry the rule. */
import { ROUTES } from "@aiep/contracts";
import { type DeadLetters, registerRoute } from "@aiep/service-kit";
import type { FastifyInstance } from "fastify";

export function registerAdminRoutes(app: FastifyInstance, deps: { readonly deadLetters: DeadLetters }): void {
  registerRoute(app, ROUTES.listScheduleDeadLetters, async ({ query }) => {
    const { items, next_cursor } = await deps.deadLetters.list(query);
    return { body: { items: [...items], next_cursor } };
  });

  registerRoute(app, ROUTES.redriveScheduleDeadLetter, async ({ params }) => ({
    body: await deps.deadLetters.redrive(params.id),
  }));
}
