/** Reading tasks: one, a page, the history, and waiting for a change. */
import type { HistoryEntry, ListTasksQuery, TaskId } from "@aiep/contracts";
import { type Changes, type Principal, visibleGroups, watchChanges } from "@aiep/service-kit";
import { isEnded, type Task } from "../domain/task.ts";
import type { TaskPage, TaskRecord, TaskStore } from "../store/task-store.ts";
import { findTask } from "./access.ts";

export interface ReadDeps {
  readonly store: Pick<TaskStore, "get" | "task" | "findByPrefix" | "list" | "history">;
}

export async function getTask(deps: ReadDeps, principal: Principal, prefix: string): Promise<TaskRecord> {
  return await findTask(deps, principal, prefix);
}

/** Tasks of the caller's groups; a group named in the filter that the caller does not see matches nothing. */
export async function listTasks(
  deps: ReadDeps,
  principal: Principal,
  query: ListTasksQuery,
): Promise<TaskPage> {
  return await deps.store.list(query, visibleGroups(principal));
}

export interface HistoryQuery {
  readonly afterVersion: number;
  readonly limit: number;
}

export async function getHistory(
  deps: ReadDeps,
  principal: Principal,
  prefix: string,
  { afterVersion, limit }: HistoryQuery,
): Promise<readonly HistoryEntry[]> {
  const { task } = await findTask(deps, principal, prefix);
  return await deps.store.history(task.facts.id, afterVersion, limit);
}

export interface WaitQuery {
  readonly seconds: number;
  /** Default: the version at arrival. */
  readonly afterVersion?: number | undefined;
  readonly until: "changed" | "terminal";
}

export interface WaitDeps extends ReadDeps {
  readonly changes: Changes<TaskId>;
}

/** Long poll: the task as soon as it is past `afterVersion`, or has ended, or when time is up. */
export async function waitForTask(
  deps: WaitDeps,
  principal: Principal,
  prefix: string,
  query: WaitQuery,
  signal: AbortSignal,
): Promise<TaskRecord> {
  const record = await findTask(deps, principal, prefix);
  const { id } = record.task.facts;
  const afterVersion = query.afterVersion ?? record.task.version;
  const isDone = (task: Task) => isEnded(task) || (query.until === "changed" && task.version > afterVersion);
  if (isDone(record.task)) return record;

  using watch = watchChanges(
    deps.changes,
    id,
    AbortSignal.any([signal, AbortSignal.timeout(query.seconds * 1000)]),
  );
  for (;;) {
    // Watched before it is read, so that no change falls between.
    const task = await deps.store.task(id);
    if (task === undefined || isDone(task)) break;
    if (!(await watch.changed())) break;
  }
  return await findTask(deps, principal, id);
}
