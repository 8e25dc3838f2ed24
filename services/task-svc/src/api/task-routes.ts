/** Routes of tasks: HTTP in, an operation, a view out. No rule lives here. */
import { ROUTES, type TaskDetail } from "@aiep/contracts";
import {
  createOnce,
  etag,
  type Idempotency,
  notModified,
  type Principal,
  type RouteRequest,
  registerRoute,
} from "@aiep/service-kit";
import type { FastifyInstance } from "fastify";
import type { ChangeDeps } from "../operations/change-task.ts";
import { copyTask } from "../operations/copy-task.ts";
import { deleteTask } from "../operations/delete-task.ts";
import { getHistory, getTask, listTasks, type WaitDeps, waitForTask } from "../operations/read-tasks.ts";
import type { RuntimeHealth } from "../operations/runtime-health.ts";
import { stopTask } from "../operations/stop-task.ts";
import { previewTask, type SubmitDeps, submitTask } from "../operations/submit-task.ts";
import { type WhoamiDeps, whoami } from "../operations/whoami.ts";
import type { TaskRecord } from "../store/task-store.ts";
import { taskDetail, taskView } from "./views.ts";

export interface TaskRoutesDeps {
  readonly store: SubmitDeps["store"] & ChangeDeps["store"] & WaitDeps["store"] & WhoamiDeps["store"];
  readonly packages: SubmitDeps["packages"];
  readonly directory: SubmitDeps["directory"];
  readonly foreseeWait?: SubmitDeps["foreseeWait"] | undefined;
  readonly changes: WaitDeps["changes"];
  readonly clock: () => Date;
  readonly runtimeHealth: Pick<RuntimeHealth, "view">;
  readonly idempotency: Idempotency;
}

export function registerTaskRoutes(app: FastifyInstance, deps: TaskRoutesDeps): void {
  registerRoute(app, ROUTES.createTask, async (request) => {
    const { principal, body } = request;
    if (request.query.dry_run)
      return { status: 200, body: taskDetail(await previewTask(deps, principal, body)) };
    const { body: detail, replayed } = await createOnce(deps, {
      route: ROUTES.createTask,
      request,
      content: body,
      view: taskDetail,
      perform: async (also) => await submitTask(deps, principal, body, { ...contextOf(request), also }),
    });
    return { body: detail, headers: createdHeaders(detail, replayed) };
  });

  registerRoute(app, ROUTES.copyTask, async (request) => {
    const { principal, body, params } = request;
    const { body: detail, replayed } = await createOnce(deps, {
      route: ROUTES.copyTask,
      request,
      content: { ...body, copy: params.task_id },
      view: taskDetail,
      perform: async (also) =>
        await copyTask(deps, principal, params.task_id, body, { ...contextOf(request), also }),
    });
    return { body: detail, headers: createdHeaders(detail, replayed) };
  });

  registerRoute(app, ROUTES.listTasks, async ({ principal, query }) => {
    const page = await listTasks(deps, principal, query);
    return { body: { items: page.tasks.map(taskView), next_cursor: page.nextCursor } };
  });

  registerRoute(app, ROUTES.getTask, async ({ principal, params, query, ifNoneMatch, signal }) => {
    const record = await readTask(deps, principal, params.task_id, query, signal);
    const { version } = record.task;
    return {
      body: taskDetail(record),
      headers: { etag: etag(version) },
      ...(notModified(ifNoneMatch, version) ? { status: 304 } : {}),
    };
  });

  registerRoute(app, ROUTES.getTaskHistory, async ({ principal, params, query }) => {
    // One more than asked for says whether there is a next page; the cursor of a history is a version.
    const entries = await getHistory(deps, principal, params.task_id, {
      afterVersion: query.after_version,
      limit: query.limit + 1,
    });
    const items = entries.slice(0, query.limit);
    const last = items.at(-1);
    return {
      body: {
        items,
        next_cursor: entries.length > query.limit && last !== undefined ? String(last.version) : null,
      },
    };
  });

  registerRoute(app, ROUTES.stopTask, async (request) => {
    const { principal, params, body, ifMatch } = request;
    const task = await stopTask(deps, principal, params.task_id, {
      ...contextOf(request),
      graceSeconds: body.grace_seconds,
      ifMatch,
    });
    return { body: taskView(task), headers: { etag: etag(task.version) } };
  });

  registerRoute(app, ROUTES.deleteTask, async (request) => {
    const { principal, params, ifMatch } = request;
    await deleteTask(deps, principal, params.task_id, { ...contextOf(request), ifMatch });
    return undefined;
  });

  registerRoute(app, ROUTES.whoami, async ({ principal }) => ({ body: await whoami(deps, principal) }));

  registerRoute(app, ROUTES.getRuntime, async ({ principal }) => ({
    body: await deps.runtimeHealth.view(principal),
  }));
}

/** The id of the request names the chain of messages it starts (D6). */
function contextOf(request: { readonly requestId: string; readonly traceparent: string | undefined }) {
  return { correlationId: request.requestId, traceparent: request.traceparent };
}

function createdHeaders(detail: TaskDetail, replayed: boolean): Record<string, string> {
  return {
    location: `/v1/tasks/${detail.id}`,
    etag: etag(detail.version),
    ...(replayed ? { "idempotent-replayed": "true" } : {}),
  };
}

type GetQuery = RouteRequest<typeof ROUTES.getTask>["query"];

async function readTask(
  deps: WaitDeps,
  principal: Principal,
  prefix: string,
  { wait_seconds: seconds = 0, after_version: afterVersion, until = "changed" }: GetQuery,
  signal: AbortSignal,
): Promise<TaskRecord> {
  if (seconds === 0) return await getTask(deps, principal, prefix);
  return await waitForTask(deps, principal, prefix, { seconds, afterVersion, until }, signal);
}
