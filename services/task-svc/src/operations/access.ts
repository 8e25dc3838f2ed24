/** Which task a caller means, and whether they may see or change it (D15, D16): the rules are service-kit's. */
import { AiepError, type TaskId, taskId } from "@aiep/contracts";
import { findVisible, type Principal, requireMember } from "@aiep/service-kit";
import type { Task } from "../domain/task.ts";
import type { TaskRecord, TaskStore } from "../store/task-store.ts";

export interface FindDeps {
  readonly store: Pick<TaskStore, "get" | "task" | "findByPrefix">;
}

/** By whole id or unique prefix, whole with what was asked for. */
export async function findTask(deps: FindDeps, principal: Principal, prefix: string): Promise<TaskRecord> {
  const find = async (...query: Parameters<TaskStore["findByPrefix"]>) =>
    await deps.store.findByPrefix(...query);
  const get = async (id: TaskId) => await deps.store.get(id);
  const groupOf = ({ task }: TaskRecord) => task.facts.groupId;
  return await findVisible({ what: "tasks", id: taskId, notFound, find, get, groupOf }, principal, prefix);
}

/** The task alone, to be changed: the caller must be a member of its group. */
export async function findTaskToChange(deps: FindDeps, principal: Principal, prefix: string): Promise<Task> {
  const { task } = await findTask(deps, principal, prefix);
  requireMember(principal, task.facts.groupId);
  return task;
}

function notFound(prefix: string): AiepError {
  return new AiepError("TASK_NOT_FOUND", `There is no task ${prefix} in your groups.`);
}
