/**
 * Every HTTP endpoint as a value: the service registers its routes from here, the local proxy routes by it, OpenAPI is
 * generated from it and the command line calls by it. Paths use `{name}`; actions are POST sub-resources.
 */
import * as z from "zod";
import { codePackageId, groupId, taskIdPrefix } from "../ids.ts";
import { downloadLogsQuery, logItem, logNodeView, readLogsQuery, streamLogsQuery } from "../log/api.ts";
import {
  codePackageView,
  copyTaskBody,
  eventView,
  getTaskQuery,
  historyEntry,
  listTasksQuery,
  runtimeView,
  stopTaskBody,
  streamEventsQuery,
  submitTaskBody,
  taskDetail,
  taskView,
  whoamiView,
} from "../task/api.ts";
import { page } from "./common.ts";
import { listDeadLetters, redriveDeadLetter } from "./dead-letter-routes.ts";
import { define, type RouteDefinition } from "./define-route.ts";
import { SCHEDULE_CONTEXT_ROUTES } from "./schedule-routes.ts";
import { WORKFLOW_ROUTES } from "./workflow-routes.ts";

export type { HttpMethod, RouteDefinition, ServiceName } from "./define-route.ts";

const taskParams = z.strictObject({ task_id: taskIdPrefix });

export const ROUTES = {
  createTask: define({
    operationId: "createTask",
    service: "task-svc",
    method: "POST",
    path: "/v1/tasks",
    summary: "Submit a container task. With dry_run=true everything is checked and nothing created.",
    idempotent: true,
    query: z.strictObject({ dry_run: z.stringbool().default(false) }),
    body: submitTaskBody,
    status: 201,
    response: taskDetail,
    errors: [
      "NOT_A_MEMBER",
      "NAMESPACE_NOT_BOUND",
      "QUOTA_EXCEEDED",
      "STORAGE_NOT_OWNED",
      "IMAGE_UNKNOWN",
      "PROXY_USER_UNKNOWN",
      "MATERIAL_UNKNOWN",
      "CODE_PACKAGE_NOT_FOUND",
    ],
  }),
  listTasks: define({
    operationId: "listTasks",
    service: "task-svc",
    method: "GET",
    path: "/v1/tasks",
    summary: "List tasks of the caller's groups, newest first.",
    query: listTasksQuery,
    status: 200,
    response: page(taskView),
    errors: ["BAD_CURSOR"],
  }),
  getTask: define({
    operationId: "getTask",
    service: "task-svc",
    method: "GET",
    path: "/v1/tasks/{task_id}",
    summary: "One task whole; with wait_seconds a long poll for its next change or its end.",
    params: taskParams,
    query: getTaskQuery,
    status: 200,
    response: taskDetail,
    errors: ["TASK_NOT_FOUND", "AMBIGUOUS_ID"],
  }),
  getTaskHistory: define({
    operationId: "getTaskHistory",
    service: "task-svc",
    method: "GET",
    path: "/v1/tasks/{task_id}/history",
    summary: "All events of a task, oldest first.",
    params: taskParams,
    query: z.strictObject({
      after_version: z.coerce.number().int().min(0).default(0),
      limit: z.coerce.number().int().min(1).max(1000).default(1000),
    }),
    status: 200,
    response: page(historyEntry),
    errors: ["TASK_NOT_FOUND", "AMBIGUOUS_ID"],
  }),
  streamTask: define({
    operationId: "streamTask",
    service: "task-svc",
    method: "GET",
    path: "/v1/tasks/{task_id}/events",
    summary:
      "Live status: SSE event `status` with the event of each version as data (id = version), `end` after the terminal one. Resume by Last-Event-ID.",
    params: taskParams,
    query: z.strictObject({
      last_event_id: z
        .string()
        .regex(/^\d{1,9}$/)
        .optional(),
    }),
    status: 200,
    produces: "sse",
    response: historyEntry,
    errors: ["TASK_NOT_FOUND", "AMBIGUOUS_ID", "TOO_MANY_STREAMS"],
  }),
  streamEvents: define({
    operationId: "streamEvents",
    service: "task-svc",
    method: "GET",
    path: "/v1/events",
    summary:
      "Events of all tasks of the caller's groups as they happen: SSE event `event`, id = position. Resume by Last-Event-ID; without one it starts now.",
    query: streamEventsQuery,
    status: 200,
    produces: "sse",
    response: eventView,
    errors: ["NOT_A_MEMBER", "TOO_MANY_STREAMS"],
  }),
  stopTask: define({
    operationId: "stopTask",
    service: "task-svc",
    method: "POST",
    path: "/v1/tasks/{task_id}/stop",
    summary: "Stop a task. Idempotent; answers with the task as it is now.",
    params: taskParams,
    body: stopTaskBody,
    status: 202,
    response: taskView,
    errors: ["TASK_NOT_FOUND", "AMBIGUOUS_ID", "VIEWER_ONLY"],
  }),
  copyTask: define({
    operationId: "copyTask",
    service: "task-svc",
    method: "POST",
    path: "/v1/tasks/{task_id}/copy",
    summary: "Submit the same task again, with changes if given.",
    idempotent: true,
    params: taskParams,
    body: copyTaskBody,
    status: 201,
    response: taskDetail,
    errors: ["TASK_NOT_FOUND", "AMBIGUOUS_ID"],
  }),
  deleteTask: define({
    operationId: "deleteTask",
    service: "task-svc",
    method: "DELETE",
    path: "/v1/tasks/{task_id}",
    summary: "Delete a terminal task with its logs.",
    params: taskParams,
    status: 204,
    errors: ["TASK_NOT_FOUND", "AMBIGUOUS_ID", "TASK_NOT_TERMINAL"],
  }),
  createCodePackage: define({
    operationId: "createCodePackage",
    service: "task-svc",
    method: "POST",
    path: "/v1/code-packages",
    summary:
      "Upload a zip (body application/zip, streamed). The same bytes in the same group give the same package.",
    consumes: "zip",
    query: z.strictObject({
      group_id: groupId.optional(),
      sha256: z
        .string()
        .regex(/^[0-9a-f]{64}$/)
        .optional(),
    }),
    status: 201,
    response: codePackageView,
    errors: ["CODE_PACKAGE_NOT_ZIP", "CODE_PACKAGE_TOO_LARGE", "CODE_PACKAGE_UNSAFE", "NOT_A_MEMBER"],
  }),
  getCodePackage: define({
    operationId: "getCodePackage",
    service: "task-svc",
    method: "GET",
    path: "/v1/code-packages/{code_package_id}",
    summary: "Facts about a code package.",
    params: z.strictObject({ code_package_id: codePackageId }),
    status: 200,
    response: codePackageView,
    errors: ["CODE_PACKAGE_UNKNOWN"],
  }),
  whoami: define({
    operationId: "whoami",
    service: "task-svc",
    method: "GET",
    path: "/v1/whoami",
    summary: "What the caller may use: groups, namespaces with quota and use, storage roots, images.",
    status: 200,
    response: whoamiView,
  }),
  getRuntime: define({
    operationId: "getRuntime",
    service: "task-svc",
    method: "GET",
    path: "/v1/runtime",
    summary:
      "Where tasks run, and what is missing there: versions, permissions, storage. May be minutes old.",
    status: 200,
    response: runtimeView,
  }),
  readLogs: define({
    operationId: "readLogs",
    service: "log-svc",
    method: "GET",
    path: "/v1/tasks/{task_id}/logs",
    summary: "Log lines, oldest first; several nodes merged by time.",
    params: taskParams,
    query: readLogsQuery,
    status: 200,
    response: page(logItem),
    errors: ["TASK_NOT_FOUND", "AMBIGUOUS_ID", "LOG_NODE_UNKNOWN", "BAD_CURSOR"],
  }),
  streamLogs: define({
    operationId: "streamLogs",
    service: "log-svc",
    method: "GET",
    path: "/v1/tasks/{task_id}/logs/stream",
    summary: "History and live tail as one sequence over SSE: events `line`, `gap`, `end`, `overflow`.",
    params: taskParams,
    query: streamLogsQuery,
    status: 200,
    produces: "sse",
    response: logItem,
    errors: ["TASK_NOT_FOUND", "AMBIGUOUS_ID", "LOG_NODE_UNKNOWN", "TOO_MANY_STREAMS"],
  }),
  downloadLogs: define({
    operationId: "downloadLogs",
    service: "log-svc",
    method: "GET",
    path: "/v1/tasks/{task_id}/logs/download",
    summary: "The log as one text file.",
    params: taskParams,
    query: downloadLogsQuery,
    status: 200,
    produces: "text",
    errors: ["TASK_NOT_FOUND", "AMBIGUOUS_ID", "LOG_NODE_UNKNOWN"],
  }),
  listLogNodes: define({
    operationId: "listLogNodes",
    service: "log-svc",
    method: "GET",
    path: "/v1/tasks/{task_id}/logs/nodes",
    summary: "Nodes that have a log, with lines, bytes and whether it is complete.",
    params: taskParams,
    status: 200,
    response: page(logNodeView),
    errors: ["TASK_NOT_FOUND", "AMBIGUOUS_ID"],
  }),
  listTaskDeadLetters: listDeadLetters("listTaskDeadLetters", "task-svc"),
  redriveTaskDeadLetter: redriveDeadLetter("redriveTaskDeadLetter", "task-svc"),
  listLogDeadLetters: listDeadLetters("listLogDeadLetters", "log-svc"),
  redriveLogDeadLetter: redriveDeadLetter("redriveLogDeadLetter", "log-svc"),
  ...WORKFLOW_ROUTES,
  ...SCHEDULE_CONTEXT_ROUTES,
} as const satisfies Record<string, RouteDefinition>;
export type RouteName = keyof typeof ROUTES;
