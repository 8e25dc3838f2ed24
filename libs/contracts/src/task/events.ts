/**
 * Events of the task context, stream TASK. The aggregate is the task; its version is gap-free from 1 (D6).
 *
 * Every status event carries the whole new status and, of the nodes, those that changed, so a subscriber may keep the
 * last event of a task and knows its state. Environment values never travel in an event, only their names.
 */
import * as z from "zod";
import { defineEvent, type EventDefinition } from "../events/define.ts";
import { groupId, taskId, timestamp } from "../ids.ts";
import { taskOutputs } from "./io.ts";
import { taskNode, taskReason, taskState } from "./states.ts";
import { TASK_MODES } from "./task-file.ts";

const identity = {
  task_id: taskId,
  group_id: groupId,
  name: z.string(),
  experiment_id: z.string().optional(),
  experiment_run_id: z.string().optional(),
};

const status = z.object({
  ...identity,
  state: taskState,
  reason: taskReason,
  message: z.string(),
  /** Number of the launch, from 1; 0 before the first. */
  attempt: z.int().min(0),
  /** Nodes whose state changed with this event. */
  nodes: z.array(taskNode),
  /** When the task became Running. */
  started_at: timestamp.nullable(),
  finished_at: timestamp.nullable(),
  /** With succeeded, when the task was asked to leave something for others. */
  outputs: taskOutputs.optional(),
});
export type TaskStatusData = z.infer<typeof status>;

export const taskCreated = defineEvent({
  context: "task",
  name: "created",
  version: 1,
  summary: "A task was accepted. It is kept whatever happens next (I1).",
  schema: z.object({
    ...status.shape,
    description: z.string().optional(),
    mode: z.enum(TASK_MODES),
    namespace: z.string(),
    image: z.string(),
    created_by: z.string(),
    proxy_user: z.string().optional(),
    labels: z.record(z.string(), z.string()),
    gen_ai_llm: z.boolean(),
    env_names: z.array(z.string()),
    copied_from: taskId.optional(),
    /** Id of the command that asked for it; absent when it came over HTTP. */
    command_id: z.string().optional(),
  }),
});

const statusEvent = <Name extends string>(name: Name, summary: string) =>
  defineEvent({ context: "task", name, version: 1, summary, schema: status });

export const taskUpdated = statusEvent(
  "updated",
  "Reason, message or node states changed; the state did not.",
);
export const taskRunning = statusEvent("running", "All nodes run.");
export const taskSucceeded = statusEvent("succeeded", "The task ended well. Terminal.");
export const taskFailed = statusEvent("failed", "The task failed; reason and message say why. Terminal.");
export const taskStopped = statusEvent("stopped", "The task was stopped on request. Terminal.");

export const taskStopRequested = defineEvent({
  context: "task",
  name: "stop_requested",
  version: 1,
  summary: "Somebody asked to stop the task; from here on it never starts another node (I9).",
  schema: z.object({ ...status.shape, requested_by: z.string(), grace_seconds: z.int().min(0) }),
});

export const taskDeleted = defineEvent({
  context: "task",
  name: "deleted",
  version: 1,
  summary: "A terminal task was deleted: it leaves lists, its logs and history may be removed.",
  schema: z.object({ ...identity, deleted_by: z.string() }),
});

export const taskRejected = defineEvent({
  context: "task",
  name: "rejected",
  version: 1,
  summary: "A submit or stop command was refused; nothing was created. The aggregate is the command.",
  schema: z.object({
    command_id: z.string(),
    group_id: groupId,
    command: z.string(),
    code: z.string(),
    detail: z.string(),
    errors: z.array(z.object({ pointer: z.string(), code: z.string(), detail: z.string() })),
  }),
});

export const TASK_EVENTS = [
  taskCreated,
  taskUpdated,
  taskRunning,
  taskSucceeded,
  taskFailed,
  taskStopped,
  taskStopRequested,
  taskDeleted,
  taskRejected,
] as const satisfies readonly EventDefinition[];
