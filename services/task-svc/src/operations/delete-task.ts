import type { Principal } from "@aiep/service-kit";
import { markDeleted } from "../domain/life-cycle.ts";
import { type ChangeDeps, type ChangeOptions, changeTask } from "./change-task.ts";

/** Deletes an ended task (D16); TASK_NOT_TERMINAL for others. Afterwards it is TASK_NOT_FOUND. */
export async function deleteTask(
  deps: ChangeDeps,
  principal: Principal,
  prefix: string,
  options: ChangeOptions = {},
): Promise<void> {
  await changeTask(deps, principal, prefix, options, (task) =>
    markDeleted(task, principal.user, deps.clock()),
  );
}
