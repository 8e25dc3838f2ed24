/** Events of a task as the domain makes them: one per version; the store turns them into outbox rows. */
import type { DataOf, TaskStatusData, taskCreated, taskDeleted, taskStopRequested } from "@aiep/contracts";
import { attemptOf, finishedAtOf, nodeView, startedAtOf, type Task, type TaskNodeRecord } from "./task.ts";

export type StatusEventName = "updated" | "running" | "succeeded" | "failed" | "stopped";

interface EventCommon {
  /** Gap-free per task, from 1 (D6). */
  readonly version: number;
  readonly at: Date;
  /** Who did it; null when the platform did. */
  readonly by: string | null;
}

export type TaskEvent = EventCommon &
  (
    | { readonly name: "created"; readonly data: DataOf<typeof taskCreated> }
    | { readonly name: StatusEventName; readonly data: TaskStatusData }
    | { readonly name: "stop_requested"; readonly data: DataOf<typeof taskStopRequested> }
    | { readonly name: "deleted"; readonly data: DataOf<typeof taskDeleted> }
  );

export function identityData(task: Task) {
  const { id, groupId, name, experimentId, experimentRunId } = task.facts;
  return {
    task_id: id,
    group_id: groupId,
    name,
    ...(experimentId === null ? {} : { experiment_id: experimentId }),
    ...(experimentRunId === null ? {} : { experiment_run_id: experimentRunId }),
  };
}

/** The whole status, and of the nodes those that changed. */
export function statusData(task: Task, changed: readonly TaskNodeRecord[]): TaskStatusData {
  return {
    ...identityData(task),
    state: task.state,
    reason: task.reason,
    message: task.message,
    attempt: attemptOf(task),
    nodes: changed.map(nodeView),
    started_at: startedAtOf(task)?.toISOString() ?? null,
    finished_at: finishedAtOf(task)?.toISOString() ?? null,
    ...(task.state === "Succeeded" && task.outputs !== null ? { outputs: task.outputs } : {}),
  };
}
