import type { Principal } from "@aiep/service-kit";
import { requestStop } from "../domain/life-cycle.ts";
import type { Task } from "../domain/task.ts";
import { type ChangeDeps, type ChangeOptions, changeTask } from "./change-task.ts";

export interface StopOptions extends ChangeOptions {
  readonly graceSeconds?: number | undefined;
}

/** Asks for the stop (I9). Idempotent: a task already stopping or ended is answered as it is. */
export async function stopTask(
  deps: ChangeDeps,
  principal: Principal,
  prefix: string,
  options: StopOptions = {},
): Promise<Task> {
  const { graceSeconds } = options;
  return await changeTask(deps, principal, prefix, options, (task) =>
    requestStop(task, { by: principal.user, graceSeconds }, deps.clock()),
  );
}
