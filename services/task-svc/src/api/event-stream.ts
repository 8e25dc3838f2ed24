/** `GET /v1/events` (D30): first `ready` with the position it starts after, then an `event` each; never ends by itself. */
import { AiepError, ROUTES } from "@aiep/contracts";
import { registerRoute, sse, type VisibleGroups, visibleGroups } from "@aiep/service-kit";
import type { FastifyInstance } from "fastify";
import { type FollowEventsDeps, followEvents } from "../operations/follow-events.ts";

export function registerEventStream(app: FastifyInstance, deps: FollowEventsDeps): void {
  registerRoute(app, ROUTES.streamEvents, async (request, reply) => {
    const { type: types, group_id: asked, last_event_id: resumed } = request.query;
    const groups = narrowed(visibleGroups(request.principal), asked, request.principal.user);
    const newest = await deps.events.newest();
    const lastEventId = request.lastEventId ?? resumed;
    const seen = lastEventId !== undefined && /^\d{1,15}$/.test(lastEventId) ? Number(lastEventId) : newest;
    // A position that never was belongs to another database: start now.
    const from = Math.min(seen, newest);
    const stream = sse(reply, request.raw, { signal: request.signal });
    // With it the reader can resume before it has seen any event.
    stream.send({ event: "ready", id: String(from), data: { position: String(from) } });
    for await (const event of followEvents(deps, from, { groups, types }, stream.closed)) {
      await stream.ready();
      if (!stream.send({ event: "event", id: event.position, data: event })) return undefined;
    }
    return undefined;
  });
}

function narrowed(
  visible: VisibleGroups,
  asked: Exclude<VisibleGroups, "all"> | undefined,
  user: string,
): VisibleGroups {
  if (asked === undefined || asked.length === 0) return visible;
  const foreign = visible === "all" ? undefined : asked.find((group) => !visible.includes(group));
  if (foreign !== undefined)
    throw new AiepError("NOT_A_MEMBER", `${user} is not a member of the group ${foreign}.`);
  return asked;
}
