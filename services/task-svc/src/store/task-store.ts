/**
 * What the rest of task-svc sees of its database (D2: the ORM and SQL stay behind this interface).
 *
 * S1 A state change and its outbox rows are one transaction (D5); `save` and `insert` resolve after the commit.
 * S2 Writers are optimistic: a writer that read an older version than the last one gets AiepError VERSION_CONFLICT and
 *    nothing was written; it reads again and repeats.
 * S3 After each commit the store calls `committed` once (wired in service.ts to the notifier): no caller has to remember.
 * S4 A deleted task is not found any more; its history is purged by age, its row stays, so that its id is never taken again.
 */
import type { CodePackageId, GroupId, HistoryEntry, ListTasksQuery, TaskFile, TaskId } from "@aiep/contracts";
import type { Sql } from "@aiep/service-kit";
import type { TaskEvent } from "../domain/events.ts";
import type { Resources } from "../domain/quota.ts";
import type { Task } from "../domain/task.ts";

/** What was asked for, kept to be shown and submitted again. Not held in memory by the controller. */
export interface Submission {
  readonly taskConfig: TaskFile;
  readonly setEnvs: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

export interface TaskRecord extends Submission {
  readonly task: Task;
}

/** Ids of the message chain; from the HTTP request or the command that caused the change. */
export interface ChangeContext {
  readonly correlationId?: string | undefined;
  readonly causationId?: string | undefined;
  readonly traceparent?: string | undefined;
}

export interface InsertOptions extends ChangeContext {
  /** Statements of the same transaction, e.g. the Idempotency-Key row. A duplicate there rejects with DuplicateKeyError, nothing written. */
  readonly also?: readonly Sql[];
}

export interface TaskPage {
  readonly tasks: readonly Task[];
  readonly nextCursor: string | null;
}

export interface CodePackage {
  readonly id: CodePackageId;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly fileCount: number;
  readonly groupId: GroupId;
  readonly createdBy: string;
  readonly createdAt: Date;
}

/** Called after each commit; must not throw and not wait. */
export type CommittedListener = (change: {
  readonly taskId: TaskId;
  readonly version: number;
  /** As it was committed. */
  readonly task: Task;
  readonly events: readonly TaskEvent["name"][];
}) => void;

export interface TaskStore {
  /** Writes a new task with its `created` event. */
  insert(
    change: { readonly task: Task; readonly events: readonly TaskEvent[] },
    submission: Submission,
    options?: InsertOptions,
  ): Promise<void>;
  /** Writes a change; at least one event (S2). */
  save(
    change: { readonly task: Task; readonly events: readonly TaskEvent[] },
    context?: ChangeContext,
  ): Promise<void>;
  /** Bookkeeping without version: the runtime has taken the workload. Idempotent, commutes with `save`. */
  recordLaunched(id: TaskId, at: Date): Promise<void>;
  /** Bookkeeping without version: the runtime gave back what the workload held. Idempotent. */
  recordRemoved(id: TaskId, at: Date): Promise<void>;

  /** The task alone, also when deleted (the controller still has to remove its workload). */
  task(id: TaskId): Promise<Task | undefined>;
  get(id: TaskId): Promise<TaskRecord | undefined>;
  /** Ids that begin with these digits, at most `limit` of them; `groups: "all"` for administrators. */
  findByPrefix(
    prefix: string,
    groups: readonly GroupId[] | "all",
    limit: number,
  ): Promise<readonly { readonly id: TaskId; readonly name: string; readonly state: Task["state"] }[]>;
  /** Newest first. Throws BAD_CURSOR when the cursor belongs to another filter. */
  list(query: ListTasksQuery, groups: readonly GroupId[] | "all"): Promise<TaskPage>;
  /** Events as they were published, oldest first. */
  history(id: TaskId, afterVersion: number, limit: number): Promise<readonly HistoryEntry[]>;
  /** Tasks that still need the controller: not ended, or ended with a workload not yet removed. Oldest first. */
  unsettled(): AsyncIterable<Task>;
  /** Resources of tasks that were launched and have not ended. */
  usage(namespaces: readonly string[]): Promise<ReadonlyMap<string, Resources>>;

  /** The same content in the same group is the same package: the stored one is returned, renewed. */
  insertCodePackage(codePackage: CodePackage): Promise<CodePackage>;
  /** Looked up to be used: it is kept for another while from this moment. */
  useCodePackage(id: CodePackageId, at: Date): Promise<CodePackage | undefined>;
}
