/** Routes of event triggers, and the way in for outside events. */
import { ROUTES } from "@aiep/contracts";
import { createOnce, etag, registerRoute } from "@aiep/service-kit";
import type { FastifyInstance } from "fastify";
import type { Match } from "../domain/event-trigger/index.ts";
import {
  createEventTrigger,
  deleteEventTrigger,
  type EventTriggerDeps,
  findEventTrigger,
  listEventTriggers,
  testEventTrigger,
  updateEventTrigger,
} from "../operations/event-triggers.ts";
import { type ReceiveEventDeps, receiveEvent } from "../operations/receive-event.ts";
import { eventTriggerView, type NamedTrigger } from "../store/event-trigger-store.ts";
import { contextOf, type RouteDeps, replayedHeader } from "./context.ts";

export type EventTriggerRouteDeps = EventTriggerDeps & ReceiveEventDeps & RouteDeps;

export function registerEventTriggerRoutes(app: FastifyInstance, deps: EventTriggerRouteDeps): void {
  registerChanging(app, deps);

  registerRoute(app, ROUTES.listEventTriggers, async ({ principal, query }) => {
    const { items, nextCursor } = await listEventTriggers(deps, principal, query);
    return { body: { items: items.map(eventTriggerView), next_cursor: nextCursor } };
  });

  registerRoute(app, ROUTES.getEventTrigger, async ({ principal, params }) =>
    answer(await findEventTrigger(deps, principal, params.trigger_id)),
  );

  registerRoute(app, ROUTES.testEventTrigger, async ({ principal, params, body }) => ({
    body: tested(await testEventTrigger(deps, principal, params.trigger_id, body)),
  }));

  registerRoute(app, ROUTES.receiveEvent, async (request) => {
    const { principal, params, body: event } = request;
    const received = { groupId: params.group_id, event };
    const { id, duplicate } = await receiveEvent(deps, principal, received, contextOf(request));
    return { body: { event_id: id, duplicate } };
  });
}

function registerChanging(app: FastifyInstance, deps: EventTriggerRouteDeps): void {
  registerRoute(app, ROUTES.createEventTrigger, async (request) => {
    const { principal, body } = request;
    const { body: view, replayed } = await createOnce(deps, {
      route: ROUTES.createEventTrigger,
      request,
      content: body,
      view: eventTriggerView,
      perform: async (also) =>
        await createEventTrigger(deps, principal, body, { context: contextOf(request), also }),
    });
    const headers = { location: `/v1/event-triggers/${view.id}`, etag: etag(view.version) };
    return { body: view, headers: { ...headers, ...replayedHeader(replayed) } };
  });

  registerRoute(app, ROUTES.updateEventTrigger, async (request) => {
    const { principal, params, body, ifMatch } = request;
    const options = { context: contextOf(request), ifMatch };
    return answer(await updateEventTrigger(deps, principal, params.trigger_id, body, options));
  });

  registerRoute(app, ROUTES.deleteEventTrigger, async (request) => {
    const { principal, params } = request;
    await deleteEventTrigger(deps, principal, params.trigger_id, contextOf(request));
    return undefined;
  });
}

function answer(named: NamedTrigger) {
  return { body: eventTriggerView(named), headers: { etag: etag(named.trigger.version) } };
}

function tested(match: Match) {
  if (match.outcome !== "fire")
    return { fires: false, message: match.detail, parameters: {}, run_date: null };
  const date = match.runDate === undefined ? "yesterday" : match.runDate;
  return {
    fires: true,
    message: `A run would be ordered with run_date ${date}.`,
    parameters: { ...match.parameters },
    run_date: match.runDate ?? null,
  };
}
