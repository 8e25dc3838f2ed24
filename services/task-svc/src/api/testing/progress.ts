/** Lets a task run and end in a test, as the controller would. */
import type { TaskId } from "@aiep/contracts";
import { applyObservation, type Change, markLaunched, markLaunching } from "../../domain/life-cycle.ts";
import type { Task } from "../../domain/task.ts";
import { observed } from "../../testing/tasks.ts";
import type { TaskApi } from "./task-api.ts";

/** What the controller would do: reads, decides, saves. */
async function advance(
  api: TaskApi,
  id: TaskId,
  decide: (task: Task, now: Date) => Change | null,
): Promise<void> {
  const task = await api.store.task(id);
  const change = task === undefined ? null : decide(task, new Date());
  if (change === null) throw new Error("nothing to advance");
  await api.store.save(change);
}

export async function run(api: TaskApi, id: TaskId): Promise<void> {
  await advance(api, id, markLaunching);
  await api.store.recordLaunched(id, new Date());
  await advance(api, id, (task, now) =>
    applyObservation(markLaunched(task, now), observed(task, { "worker-0": { state: "Running" } }), now),
  );
}

export async function finish(api: TaskApi, id: TaskId): Promise<void> {
  await advance(api, id, (task, now) =>
    applyObservation(
      task,
      observed(task, { "worker-0": { state: "Succeeded", exitCode: 0, finishedAt: now } }),
      now,
    ),
  );
}
