/**
 * The live status of a task as one gap-free sequence: its history by version, then every new event (I8's sibling for
 * states). The events table is the source of both; a wake only says "read on", so a lost or doubled wake does no harm.
 */
import { type HistoryEntry, isTerminal, type TaskId, taskState } from "@aiep/contracts";
import type { TaskStore } from "../store/task-store.ts";
import { type TaskChanges, watchTask } from "./watch-task.ts";

export interface FollowDeps {
  readonly store: Pick<TaskStore, "history">;
  readonly changes: TaskChanges;
}

const PAGE = 200;

/** `afterVersion` is one the task has reached. Ends after the terminal event, also when that is at or before `afterVersion`; or when the signal is aborted. */
export async function* followTask(
  deps: FollowDeps,
  id: TaskId,
  afterVersion: number,
  signal: AbortSignal,
): AsyncGenerator<HistoryEntry, void, void> {
  using watch = watchTask(deps.changes, id, signal);
  let version = afterVersion;
  if (await isTheEnd(deps, id, version)) return;
  while (!signal.aborted) {
    const entries = await deps.store.history(id, version, PAGE);
    for (const entry of entries) {
      yield entry;
      version = entry.version;
      if (isEnd(entry)) return;
    }
    if (entries.length < PAGE && !(await watch.changed())) return;
  }
}

/** Whoever resumes after the terminal event has seen everything. */
async function isTheEnd({ store }: FollowDeps, id: TaskId, version: number): Promise<boolean> {
  if (version === 0) return false;
  const [entry] = await store.history(id, version - 1, 1);
  return entry?.version === version && isEnd(entry);
}

/** `deleted` carries no state and comes only after an end. */
function isEnd(entry: HistoryEntry): boolean {
  const state = taskState.safeParse(entry.data["state"]);
  return !state.success || isTerminal(state.data);
}
