/** Changing a task that others may change at the same moment: read, decide, save, and again when somebody was faster (S2). */
import { AiepError } from "@aiep/contracts";
import { type Principal, requireMatch } from "@aiep/service-kit";
import type { Change } from "../domain/life-cycle.ts";
import type { Task } from "../domain/task.ts";
import type { ChangeContext, TaskStore } from "../store/task-store.ts";
import { findTaskToChange } from "./access.ts";

export interface ChangeDeps {
  readonly store: Pick<TaskStore, "get" | "task" | "findByPrefix" | "save">;
  readonly clock: () => Date;
}

export interface ChangeOptions extends ChangeContext {
  /** If-Match: refused with PRECONDITION_FAILED when the task has another version. */
  readonly ifMatch?: number | "any" | undefined;
}

const MAX_ATTEMPTS = 8;

/** `decide` answers null when nothing needs to change. Returns the task as it is afterwards. */
export async function changeTask(
  deps: ChangeDeps,
  principal: Principal,
  prefix: string,
  options: ChangeOptions,
  decide: (task: Task) => Change | null,
): Promise<Task> {
  for (let attempt = 1; ; attempt += 1) {
    const task = await findTaskToChange(deps, principal, prefix);
    requireMatch(options.ifMatch, task.version);
    const change = decide(task);
    if (change === null) return task;
    try {
      await deps.store.save(change, options);
      return change.task;
    } catch (error) {
      if (!AiepError.is(error, "VERSION_CONFLICT") || attempt === MAX_ATTEMPTS) throw error;
    }
  }
}
