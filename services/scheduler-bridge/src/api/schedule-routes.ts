/** Schedules, their back-fills, and the list of fires over HTTP: reads, calls one operation, answers. */
import { ROUTES, type ScheduleDetail } from "@aiep/contracts";
import { createOnce, etag, registerRoute } from "@aiep/service-kit";
import type { FastifyInstance } from "fastify";
import type { Schedule } from "../domain/schedule.ts";
import { nextTimesOf, previewCron } from "../operations/schedule-times.ts";
import {
  createSchedule,
  deleteSchedule,
  findSchedule,
  listSchedules,
  pauseSchedule,
  resumeSchedule,
  type ScheduleDeps,
  triggerSchedule,
  updateSchedule,
} from "../operations/schedules.ts";
import { fireView } from "../store/fire-rows.ts";
import { scheduleView } from "../store/schedule-rows.ts";
import { contextOf, type RouteDeps, replayedHeader } from "./context.ts";

export function registerScheduleRoutes(app: FastifyInstance, deps: RouteDeps & ScheduleDeps): void {
  registerRoute(app, ROUTES.createSchedule, async (request) => {
    const { principal, body, query } = request;
    if (query.dry_run) {
      const made = await createSchedule(deps, principal, body, { dryRun: true });
      return { status: 200, body: scheduleDetail(made) };
    }
    const { body: detail, replayed } = await createOnce(deps, {
      route: ROUTES.createSchedule,
      request,
      content: body,
      view: scheduleDetail,
      perform: async (also) =>
        await createSchedule(deps, principal, body, { context: contextOf(request), also }),
    });
    const headers = { location: `/v1/schedules/${detail.id}`, etag: etag(detail.version) };
    return { body: detail, headers: { ...headers, ...replayedHeader(replayed) } };
  });

  registerRoute(app, ROUTES.previewCron, async ({ body }) => {
    const { cron, quartz, times } = previewCron(deps, body);
    const next = times.map((time) => time.toISOString());
    return { body: { cron: cron.text, time_zone: cron.timeZone, quartz, next_fires: next } };
  });

  registerRoute(app, ROUTES.listSchedules, async ({ principal, query }) => {
    const { items, nextCursor } = await listSchedules(deps, principal, query);
    return { body: { items: items.map(scheduleView), next_cursor: nextCursor } };
  });

  registerRoute(app, ROUTES.getSchedule, async ({ principal, params }) =>
    answer(await findSchedule(deps, principal, params.schedule_id)),
  );

  registerRoute(app, ROUTES.updateSchedule, async (request) => {
    const { principal, params, body, ifMatch } = request;
    const options = { context: contextOf(request), ifMatch };
    return answer(await updateSchedule(deps, principal, params.schedule_id, body, options));
  });

  registerRoute(app, ROUTES.deleteSchedule, async (request) => {
    const { principal, params, ifMatch } = request;
    await deleteSchedule(deps, principal, params.schedule_id, { context: contextOf(request), ifMatch });
    return undefined;
  });

  registerRoute(app, ROUTES.pauseSchedule, async (request) => {
    const { principal, params } = request;
    return answer(await pauseSchedule(deps, principal, params.schedule_id, { context: contextOf(request) }));
  });

  registerRoute(app, ROUTES.resumeSchedule, async (request) => {
    const { principal, params } = request;
    return answer(await resumeSchedule(deps, principal, params.schedule_id, { context: contextOf(request) }));
  });

  registerRoute(app, ROUTES.triggerSchedule, async (request) => {
    const { principal, params, body } = request;
    const { body: view, replayed } = await createOnce(deps, {
      route: ROUTES.triggerSchedule,
      request,
      content: { ...body, schedule: params.schedule_id },
      view: fireView,
      perform: async (also) =>
        await triggerSchedule(deps, principal, params.schedule_id, body, {
          context: contextOf(request),
          also,
        }),
    });
    return { body: view, headers: { location: `/v1/fires/${view.id}`, ...replayedHeader(replayed) } };
  });
}

const answer = (schedule: Schedule) => ({
  body: scheduleDetail(schedule),
  headers: { etag: etag(schedule.version) },
});

function scheduleDetail(schedule: Schedule): ScheduleDetail {
  return { ...scheduleView(schedule), next_fires: nextTimesOf(schedule).map((time) => time.toISOString()) };
}
