/**
 * The live status of a task as one gap-free sequence: its history by version, then every new event (I8's sibling for
 * states). The events table is the source of both; a wake only says "read on", so a lost or doubled wake does no harm.
 */
import { type HistoryEntry, isTerminal, type TaskId, taskState } from "@aiep/contracts";
import { isEnded } from "../domain/task.ts";
import type { TaskStore } from "../store/task-store.ts";
import { type TaskChanges, watchTask } from "./watch-task.ts";

export interface FollowDeps {
  readonly store: Pick<TaskStore, "history" | "task">;
  readonly changes: TaskChanges;
}

const PAGE = 200;

/** Ends after the terminal event, also when that is at or before `afterVersion`; or when the signal is aborted. */
export async function* followTask(
  deps: FollowDeps,
  id: TaskId,
  afterVersion: number,
  signal: AbortSignal,
): AsyncGenerator<HistoryEntry, void, void> {
  using watch = watchTask(deps.changes, id, signal);
  let version = afterVersion;
  let first = true;
  while (!signal.aborted) {
    const entries = await deps.store.history(id, version, PAGE);
    for (const entry of entries) {
      yield entry;
      version = entry.version;
      if (isEnd(entry)) return;
    }
    if (entries.length === PAGE) continue;
    if (first && (await isOver(deps, id, version))) return;
    first = false;
    if (!(await watch.changed())) return;
  }
}

/** Nothing follows after `version`: the caller has seen the end, or the task is gone. */
async function isOver({ store }: FollowDeps, id: TaskId, version: number): Promise<boolean> {
  const task = await store.task(id);
  return task === undefined || (isEnded(task) && task.version <= version);
}

/** `deleted` carries no state and comes only after an end. */
function isEnd(entry: HistoryEntry): boolean {
  const state = taskState.safeParse(entry.data["state"]);
  return !state.success || isTerminal(state.data);
}
