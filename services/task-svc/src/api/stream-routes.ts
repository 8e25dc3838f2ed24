/** Live status of a task over SSE (D30): `status` events, id = version, then `end`. Resumes after Last-Event-ID. */
import { ROUTES } from "@aiep/contracts";
import { registerRoute, sse } from "@aiep/service-kit";
import type { FastifyInstance } from "fastify";
import { type FindDeps, findTask } from "../operations/access.ts";
import { type FollowDeps, followTask } from "../operations/follow-task.ts";

export interface StreamRoutesDeps {
  readonly store: FindDeps["store"] & FollowDeps["store"];
  readonly changes: FollowDeps["changes"];
}

export function registerStreamRoutes(app: FastifyInstance, deps: StreamRoutesDeps): void {
  registerRoute(app, ROUTES.streamTask, async (request, reply) => {
    const { task } = await findTask(deps, request.principal, request.params.task_id);
    const { id } = task.facts;
    const stream = sse(reply, request.raw, { signal: request.signal });
    const after = lastSeen(request.lastEventId ?? request.query.last_event_id, task.version);
    for await (const entry of followTask(deps, id, after, stream.closed)) {
      await stream.ready();
      if (!stream.send({ event: "status", id: String(entry.version), data: entry })) return undefined;
    }
    if (stream.closed.aborted) return undefined;
    const last = await deps.store.task(id);
    stream.end(last === undefined ? {} : { state: last.state, version: last.version });
    return undefined;
  });
}

/** An id that is no version of this task starts from the beginning: too much is better than a gap. */
function lastSeen(lastEventId: string | undefined, version: number): number {
  const seen = lastEventId !== undefined && /^\d{1,9}$/.test(lastEventId) ? Number(lastEventId) : 0;
  return seen > version ? 0 : seen;
}
