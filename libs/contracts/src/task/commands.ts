/**
 * Commands of task-svc (D8): durable, idempotent by their id, answered by events, never by a reply.
 * Submitting through a command and through HTTP runs the same code.
 */
import * as z from "zod";
import { type CommandDefinition, defineCommand } from "../events/define.ts";
import { taskId } from "../ids.ts";
import { submitTaskBody } from "./api.ts";

export const submitTask = defineCommand({
  service: "task-svc",
  name: "submit",
  version: 1,
  summary: "Create a task. Answered by task.created or task.rejected, both with the command's id.",
  schema: z.object({ ...submitTaskBody.shape, requested_by: z.string().min(1) }),
});

export const stopTask = defineCommand({
  service: "task-svc",
  name: "stop",
  version: 1,
  summary: "Stop a task. Idempotent; answered by task.stop_requested and task.stopped, or task.rejected.",
  schema: z.object({
    task_id: taskId,
    requested_by: z.string().min(1),
    grace_seconds: z.int().min(0).max(3600).optional(),
  }),
});

export const TASK_COMMANDS = [submitTask, stopTask] as const satisfies readonly CommandDefinition[];
