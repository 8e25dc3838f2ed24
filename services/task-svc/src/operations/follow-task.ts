/** The live status of a task as one gap-free sequence: its history by version, then every new event (I8's sibling for states). */
import { type HistoryEntry, isTerminal, type TaskId, taskState } from "@aiep/contracts";
import { type Changes, followHistory } from "@aiep/service-kit";
import type { TaskStore } from "../store/task-store.ts";

export interface FollowDeps {
  readonly store: Pick<TaskStore, "history">;
  readonly changes: Changes<TaskId>;
}

/** `afterVersion` is one the task has reached. Ends after the terminal event, also when that is at or before `afterVersion`; or when the signal is aborted. */
export function followTask(
  { store, changes }: FollowDeps,
  id: TaskId,
  afterVersion: number,
  signal: AbortSignal,
): AsyncGenerator<HistoryEntry, void, void> {
  const history = async (...page: Parameters<TaskStore["history"]>) => await store.history(...page);
  return followHistory({ history, changes, isEnd }, id, afterVersion, signal);
}

/** `deleted` carries no state and comes only after an end. */
function isEnd(entry: HistoryEntry): boolean {
  const state = taskState.safeParse(entry.data["state"]);
  return !state.success || isTerminal(state.data);
}
