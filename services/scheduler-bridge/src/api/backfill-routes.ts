/** Back-fills over HTTP. */
import { ROUTES } from "@aiep/contracts";
import { createOnce, registerRoute } from "@aiep/service-kit";
import type { FastifyInstance } from "fastify";
import {
  cancelBackfill,
  createBackfill,
  findBackfill,
  listBackfills,
  pauseBackfill,
  resumeBackfill,
} from "../operations/backfills.ts";
import type { ScheduleDeps } from "../operations/schedules.ts";
import { backfillView } from "../store/backfill-rows.ts";
import { contextOf, type RouteDeps, replayedHeader } from "./context.ts";

export function registerBackfillRoutes(app: FastifyInstance, deps: RouteDeps & ScheduleDeps): void {
  registerRoute(app, ROUTES.createBackfill, async (request) => {
    const { principal, params, body } = request;
    const { body: view, replayed } = await createOnce(deps, {
      route: ROUTES.createBackfill,
      request,
      content: { ...body, schedule: params.schedule_id },
      view: backfillView,
      perform: async (also) =>
        await createBackfill(deps, principal, params.schedule_id, body, {
          context: contextOf(request),
          also,
        }),
    });
    return { body: view, headers: { location: `/v1/backfills/${view.id}`, ...replayedHeader(replayed) } };
  });

  registerRoute(app, ROUTES.listBackfills, async ({ principal, params, query }) => {
    const { items, nextCursor } = await listBackfills(deps, principal, params.schedule_id, query);
    return { body: { items: items.map(backfillView), next_cursor: nextCursor } };
  });

  registerRoute(app, ROUTES.getBackfill, async ({ principal, params }) => ({
    body: backfillView(await findBackfill(deps, principal, params.backfill_id)),
  }));

  const changes = [
    [ROUTES.pauseBackfill, pauseBackfill],
    [ROUTES.resumeBackfill, resumeBackfill],
    [ROUTES.cancelBackfill, cancelBackfill],
  ] as const;
  for (const [route, change] of changes)
    registerRoute(app, route, async (request) => {
      const { principal, params } = request;
      const context = contextOf(request);
      return { body: backfillView(await change(deps, principal, params.backfill_id, { context })) };
    });
}
