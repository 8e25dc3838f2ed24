/** The hot writes (D5): one unit of statements per change, committed in one round trip by the commit queue. */
import {
  type EventDefinition,
  taskCreated,
  taskDeleted,
  taskFailed,
  taskRunning,
  taskStopped,
  taskStopRequested,
  taskSucceeded,
  taskUpdated,
} from "@aiep/contracts";
import { newOutboxRecord, outboxInsert, rowsOf, type Sql, type SqlValue, sql } from "@aiep/service-kit";
import type { TaskEvent } from "../domain/events.ts";
import { taskResources } from "../domain/quota.ts";
import {
  attemptOf,
  dutyOf,
  finishedAtOf,
  isEnded,
  nodeView,
  startedAtOf,
  type Task,
} from "../domain/task.ts";
import type { ChangeContext, Submission } from "./task-store.ts";

export const TASK_AGGREGATE = "task";

const DEFINITIONS = {
  created: taskCreated,
  updated: taskUpdated,
  running: taskRunning,
  succeeded: taskSucceeded,
  failed: taskFailed,
  stopped: taskStopped,
  stop_requested: taskStopRequested,
  deleted: taskDeleted,
} as const satisfies Record<TaskEvent["name"], EventDefinition>;

export interface OutboxAddress {
  readonly env: string;
  readonly source: string;
}

export function outboxRows(
  task: Task,
  events: readonly TaskEvent[],
  address: OutboxAddress,
  context: ChangeContext,
): Sql[] {
  return events.map((event) =>
    outboxInsert(
      newOutboxRecord({
        definition: DEFINITIONS[event.name],
        groupId: task.facts.groupId,
        aggregateType: TASK_AGGREGATE,
        aggregateId: task.facts.id,
        aggregateVersion: event.version,
        data: event.data,
        authId: event.by ?? undefined,
        correlationId: context.correlationId,
        causationId: context.causationId,
        traceparent: context.traceparent ?? task.facts.traceparent ?? undefined,
        now: event.at,
        ...address,
      }),
    ),
  );
}

type Columns = Readonly<Record<string, SqlValue>>;

/** Columns that change with the task. `launched_at` and `removed_at` are bookkeeping and written apart. */
function statusColumns(task: Task): Columns {
  const { launch, stop } = task;
  const deleted = isEnded(task) ? task.deleted : null;
  return {
    version: task.version,
    state: task.state,
    reason: task.reason,
    message: task.message,
    nodes: JSON.stringify(task.nodes.map(nodeView)),
    outputs: task.outputs === null ? null : JSON.stringify(task.outputs),
    attempt: attemptOf(task),
    launching_at: launch.kind === "none" ? null : launch.at,
    started_at: startedAtOf(task),
    finished_at: finishedAtOf(task),
    stop_requested_at: stop?.at ?? null,
    stop_requested_by: stop?.by ?? null,
    stop_grace_seconds: stop?.graceSeconds ?? null,
    deleted_at: deleted?.at ?? null,
    deleted_by: deleted?.by ?? null,
  };
}

export function insertTask(task: Task, submission: Submission): Sql {
  const { facts } = task;
  const { spec } = facts;
  const resources = taskResources(spec);
  const columns: Columns = {
    id: facts.id,
    ...statusColumns(task),
    group_id: facts.groupId,
    name: facts.name,
    description: facts.description,
    mode: spec.mode,
    namespace: spec.namespace,
    image: spec.image.url,
    spec: JSON.stringify(spec),
    task_config: JSON.stringify(submission.taskConfig),
    set_envs: JSON.stringify(submission.setEnvs),
    warnings: JSON.stringify(submission.warnings),
    labels: JSON.stringify(facts.labels),
    created_by: facts.createdBy,
    proxy_user: facts.proxyUser,
    gen_ai_llm: facts.genAiLlm,
    experiment_id: facts.experimentId,
    experiment_run_id: facts.experimentRunId,
    experiment_version_name: facts.experimentVersionName,
    copied_from: facts.copiedFrom,
    code_package_id: facts.codePackageId,
    traceparent: facts.traceparent,
    cpu: resources.cpu,
    memory_gb: resources.memoryGb,
    gpu: resources.gpu,
    created_at: facts.createdAt,
    unsettled: dutyOf(task) !== "none",
  };
  const names = Object.keys(columns);
  return sql(
    `INSERT INTO tasks (${names.join(", ")}) VALUES ${rowsOf(1, names.length)}`,
    Object.values(columns),
  );
}

/**
 * The row first, its lock orders the writers of one task; then the outbox, whose unique version rolls a stale writer back.
 * What is bookkept meanwhile stays: a later bookkeeping never makes a removed workload unsettled again.
 */
export function updateTask(task: Task, previousVersion: number): Sql {
  const columns: Columns = statusColumns(task);
  const names = Object.keys(columns);
  const launchedAt = task.launch.kind === "launched" ? task.launch.launchedAt : null;
  return sql(
    `UPDATE tasks SET ${names.map((name) => `${name} = ?`).join(", ")},
       launched_at = COALESCE(launched_at, ?), unsettled = (? AND removed_at IS NULL)
     WHERE id = ? AND version = ?`,
    [...Object.values(columns), launchedAt, dutyOf(task) !== "none", task.facts.id, previousVersion],
  );
}
