/**
 * Whose log may be read: members of the task's group, and admins. To everybody else the task does not exist (404).
 * A task that was just submitted may reach us a moment after its first reader: a whole id is waited for, briefly.
 */
import { AiepError, type TaskId, taskId } from "@aiep/contracts";
import { type Principal, WakeUp } from "@aiep/service-kit";
import type { TaskFacts } from "../domain/task-facts.ts";
import type { LiveTail } from "../ingest/live-tail.ts";
import type { TaskStore } from "../store/task-facts.ts";

export interface AccessDeps {
  readonly tasks: TaskStore;
  readonly tail: LiveTail;
}

const PROJECTION_LAG_MS = 2_000;
const LOOK_MS = 200;

export async function accessTask(
  deps: AccessDeps,
  idOrPrefix: string,
  principal: Principal,
  signal: AbortSignal,
): Promise<TaskFacts> {
  const whole = taskId.safeParse(idOrPrefix);
  const task = whole.success
    ? await findSoon(deps, whole.data, signal)
    : await deps.tasks.findByPrefix(idOrPrefix, principal.isAdmin ? undefined : groupsOf(principal));
  if (task === undefined || task.deleted || !mayRead(principal, task))
    throw new AiepError("TASK_NOT_FOUND", `There is no task ${idOrPrefix} in your groups.`);
  return task;
}

const groupsOf = (principal: Principal): string[] => principal.memberships.map(({ group }) => group.id);

const mayRead = (principal: Principal, task: TaskFacts): boolean =>
  principal.isAdmin || principal.memberships.some(({ group }) => group.id === task.groupId);

async function findSoon(deps: AccessDeps, id: TaskId, signal: AbortSignal): Promise<TaskFacts | undefined> {
  const wake = new WakeUp();
  const stopListening = deps.tail.listen(id, () => wake.wake());
  try {
    const deadline = Date.now() + PROJECTION_LAG_MS;
    for (;;) {
      const task = await deps.tasks.find(id);
      if (task !== undefined || Date.now() >= deadline || signal.aborted) return task;
      await wake.wait(LOOK_MS, signal);
    }
  } finally {
    stopListening();
  }
}
