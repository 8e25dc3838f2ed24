/** The TaskStore on MySQL or MariaDB: writes through the commit queue, reads through MikroORM without its identity map. */
import {
  AiepError,
  type CodePackageId,
  type GroupId,
  type HistoryEntry,
  type ListTasksQuery,
  type TaskId,
} from "@aiep/contracts";
import {
  type CommitQueue,
  DuplicateKeyError,
  HISTORY_COLUMNS,
  type HistoryRow,
  historyEntryOf,
  OUTBOX_VERSION_KEY,
  pageOf,
  rowsOf,
  type Sql,
  type SqlPool,
  sql,
} from "@aiep/service-kit";
import type { TaskEvent } from "../domain/events.ts";
import type { Resources } from "../domain/quota.ts";
import type { Task } from "../domain/task.ts";
import type { Orm } from "./orm.ts";
import { type CodePackageRow, CodePackageRowSchema, TaskRowSchema } from "./schema.ts";
import { listFilter } from "./task-list.ts";
import { taskOf } from "./task-row.ts";
import { insertTask, type OutboxAddress, outboxRows, TASK_AGGREGATE, updateTask } from "./task-statements.ts";
import type {
  ChangeContext,
  CodePackage,
  CommittedListener,
  InsertOptions,
  Submission,
  TaskPage,
  TaskRecord,
  TaskStore,
} from "./task-store.ts";

export interface SqlTaskStoreDeps {
  readonly orm: Orm;
  readonly pool: SqlPool;
  readonly commits: CommitQueue;
  readonly address: OutboxAddress;
  /** S3 */
  readonly committed: CommittedListener;
}

interface Written {
  readonly task: Task;
  readonly events: readonly TaskEvent[];
}

const UNSETTLED_BATCH = 200;
/** Far less than packages are kept, so that a look-up need not write each time. */
const RENEW_AFTER_MS = 3_600_000;
const WHOLE = ["task_config", "set_envs", "warnings"] as const;

export function createTaskStore(deps: SqlTaskStoreDeps): TaskStore {
  return new SqlTaskStore(deps);
}

class SqlTaskStore implements TaskStore {
  readonly #deps: SqlTaskStoreDeps;

  constructor(deps: SqlTaskStoreDeps) {
    this.#deps = deps;
  }

  async insert(change: Written, submission: Submission, options: InsertOptions = {}): Promise<void> {
    const { task, events } = change;
    await this.#commit(change, [
      insertTask(task, submission),
      ...outboxRows(task, events, this.#deps.address, options),
      ...(options.also ?? []),
    ]);
  }

  async save(change: Written, context: ChangeContext = {}): Promise<void> {
    const { task, events } = change;
    if (events.length === 0) throw new TypeError("a change without an event is no change (L1)");
    const rows = outboxRows(task, events, this.#deps.address, context);
    try {
      await this.#commit(change, [updateTask(task, task.version - events.length), ...rows]);
    } catch (error) {
      if (!DuplicateKeyError.is(error, OUTBOX_VERSION_KEY)) throw error;
      throw new AiepError("VERSION_CONFLICT", `Task ${task.facts.id} was changed at the same moment.`, {
        cause: error,
      });
    }
  }

  async recordLaunched(id: TaskId, at: Date): Promise<void> {
    await this.#keep(
      id,
      sql("UPDATE tasks SET launched_at = ? WHERE id = ? AND launched_at IS NULL", [at, id]),
    );
  }

  async recordRemoved(id: TaskId, at: Date): Promise<void> {
    await this.#keep(
      id,
      sql("UPDATE tasks SET removed_at = ?, unsettled = 0 WHERE id = ? AND removed_at IS NULL", [at, id]),
    );
  }

  async task(id: TaskId): Promise<Task | undefined> {
    const [row] = await this.#em().find(TaskRowSchema, { id }, { disableIdentityMap: true });
    return row === undefined ? undefined : taskOf(row);
  }

  async get(id: TaskId): Promise<TaskRecord | undefined> {
    const [row] = await this.#em().find(
      TaskRowSchema,
      { id, deleted_at: null },
      { disableIdentityMap: true, populate: [...WHOLE] },
    );
    if (row === undefined) return undefined;
    return {
      task: taskOf(row),
      taskConfig: row.task_config,
      setEnvs: row.set_envs,
      warnings: row.warnings,
    };
  }

  async findByPrefix(prefix: string, groups: readonly GroupId[] | "all", limit: number) {
    if (groups !== "all" && groups.length === 0) return [];
    const inGroups = groups === "all" ? "" : ` AND group_id IN ${rowsOf(1, groups.length)}`;
    return await this.#deps.pool.query<{ id: TaskId; name: string; state: Task["state"] }>(
      `SELECT id, name, state FROM tasks WHERE id LIKE ? AND deleted_at IS NULL${inGroups} ORDER BY seq DESC LIMIT ?`,
      [`${prefix}%`, ...(groups === "all" ? [] : groups), limit],
    );
  }

  async list(query: ListTasksQuery, groups: readonly GroupId[] | "all"): Promise<TaskPage> {
    const where = listFilter(query, groups);
    if (where === undefined) return { tasks: [], nextCursor: null };
    const rows = await this.#em().find(TaskRowSchema, where, {
      orderBy: { seq: "desc" },
      limit: query.limit + 1,
      disableIdentityMap: true,
    });
    const { items, nextCursor } = pageOf(rows, query);
    return { tasks: items.map(taskOf), nextCursor };
  }

  async history(id: TaskId, afterVersion: number, limit: number): Promise<readonly HistoryEntry[]> {
    const rows = await this.#deps.pool.query<HistoryRow>(
      `SELECT ${HISTORY_COLUMNS} FROM outbox
       WHERE aggregate_type = ? AND aggregate_id = ? AND aggregate_version > ?
       ORDER BY aggregate_version LIMIT ?`,
      [TASK_AGGREGATE, id, afterVersion, limit],
    );
    return rows.map(historyEntryOf);
  }

  async *unsettled(): AsyncIterable<Task> {
    let after = 0;
    for (;;) {
      const rows = await this.#em().find(
        TaskRowSchema,
        { unsettled: true, seq: { $gt: after } },
        { orderBy: { seq: "asc" }, limit: UNSETTLED_BATCH, disableIdentityMap: true },
      );
      for (const row of rows) yield taskOf(row);
      const last = rows.at(-1);
      if (last === undefined || rows.length < UNSETTLED_BATCH) return;
      after = last.seq;
    }
  }

  async usage(namespaces: readonly string[]): Promise<ReadonlyMap<string, Resources>> {
    if (namespaces.length === 0) return new Map();
    const rows = await this.#deps.pool.query<
      { namespace: string } & Record<"cpu" | "memory_gb" | "gpu", number>
    >(
      `SELECT namespace, SUM(cpu) AS cpu, SUM(memory_gb) AS memory_gb, SUM(gpu) AS gpu FROM tasks
       WHERE namespace IN ${rowsOf(1, namespaces.length)} AND state IN ('Initializing', 'Running') AND attempt > 0
       GROUP BY namespace`,
      [...namespaces],
    );
    return new Map(
      rows.map((row) => [
        row.namespace,
        { cpu: Number(row.cpu), memoryGb: Number(row.memory_gb), gpu: Number(row.gpu) },
      ]),
    );
  }

  async insertCodePackage(codePackage: CodePackage): Promise<CodePackage> {
    const { id, groupId, sha256, sizeBytes, fileCount, createdBy, createdAt } = codePackage;
    await this.#deps.pool.execute(
      `INSERT INTO code_packages (id, group_id, sha256, size_bytes, file_count, created_by, created_at, last_used_at)
       VALUES ${rowsOf(1, 8)} ON DUPLICATE KEY UPDATE last_used_at = GREATEST(last_used_at, ?)`,
      [id, groupId, sha256, sizeBytes, fileCount, createdBy, createdAt, createdAt, createdAt],
    );
    const row = await this.#codePackage({ group_id: groupId, sha256 });
    if (row === undefined) throw new AiepError("INTERNAL", "The code package was not kept.");
    return codePackageOf(row);
  }

  async useCodePackage(id: CodePackageId, at: Date): Promise<CodePackage | undefined> {
    let row = await this.#codePackage({ id });
    if (row !== undefined && at.getTime() - row.last_used_at.getTime() > RENEW_AFTER_MS) {
      await this.#deps.pool.execute(
        "UPDATE code_packages SET last_used_at = ? WHERE id = ? AND last_used_at < ?",
        [at, id, at],
      );
      row = await this.#codePackage({ id }); // it may have been removed just before
    }
    return row && codePackageOf(row);
  }

  async #codePackage(where: { id: CodePackageId } | { group_id: GroupId; sha256: string }) {
    const [row] = await this.#em().find(CodePackageRowSchema, where, { disableIdentityMap: true });
    return row;
  }

  #em() {
    return this.#deps.orm.em.fork();
  }

  async #commit({ task, events }: Written, statements: readonly Sql[]): Promise<void> {
    await this.#deps.commits.commit({ key: task.facts.id, statements });
    const names = events.map((event) => event.name);
    this.#deps.committed({ taskId: task.facts.id, version: task.version, task, events: names });
  }

  async #keep(id: TaskId, statement: Sql): Promise<void> {
    await this.#deps.commits.commit({ key: id, statements: [statement] });
  }
}

function codePackageOf(row: CodePackageRow): CodePackage {
  return {
    id: row.id as CodePackageId, // our own writing
    sha256: row.sha256,
    sizeBytes: row.size_bytes,
    fileCount: row.file_count,
    groupId: row.group_id as GroupId,
    createdBy: row.created_by,
    createdAt: row.created_at,
  };
}
