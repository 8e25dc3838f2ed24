/** The projection of tasks in SQL. Statements are values, so that the event consumer commits them with its version. */

import type { GroupId, NodeName } from "@aiep/contracts";
import {
  AiepError,
  isTerminal,
  nodeName,
  type TaskId,
  type TaskStatusData,
  taskState,
} from "@aiep/contracts";
import { fromJson, type Sql, type SqlPool, sql } from "@aiep/service-kit";
import * as z from "zod";
import type { TaskFacts } from "../domain/task-facts.ts";

const startedByNode = z.record(nodeName, z.boolean());

/** A node counts as started when its command ran, or must have: it has a time, an exit code or a state after Pending. */
function startedNodes(nodes: TaskStatusData["nodes"]): Record<string, boolean> {
  return Object.fromEntries(
    nodes.map((node) => [
      node.name,
      node.started_at !== null ||
        node.exit_code !== null ||
        node.state === "Running" ||
        node.state === "Succeeded",
    ]),
  );
}

export function recordStatus(data: TaskStatusData): Sql {
  const finishedAt = isTerminal(data.state) ? new Date(data.finished_at ?? 0) : null;
  return sql(
    `INSERT INTO tasks (task_id, group_id, state, attempt, nodes, finished_at) VALUES (?, ?, ?, ?, ?, ?)
     ON DUPLICATE KEY UPDATE state = VALUES(state), attempt = VALUES(attempt),
       nodes = JSON_MERGE_PATCH(nodes, VALUES(nodes)), finished_at = VALUES(finished_at)`,
    [
      data.task_id,
      data.group_id,
      data.state,
      data.attempt,
      JSON.stringify(startedNodes(data.nodes)),
      finishedAt,
    ],
  );
}

export function recordDeletion(taskId: TaskId): Sql {
  return sql("UPDATE tasks SET deleted = TRUE WHERE task_id = ?", [taskId]);
}

interface TaskRecord {
  task_id: TaskId;
  group_id: GroupId;
  state: string;
  attempt: number;
  nodes: unknown;
  deleted: number;
}

/** Enough to tell "one" from "several", and to name a few. */
const MAX_CANDIDATES = 6;

export class TaskStore {
  readonly #pool: SqlPool;

  constructor(pool: SqlPool) {
    this.#pool = pool;
  }

  async find(taskId: TaskId): Promise<TaskFacts | undefined> {
    const rows = await this.#pool.query<TaskRecord>("SELECT * FROM tasks WHERE task_id = ?", [taskId]);
    return rows[0] === undefined ? undefined : toFacts(rows[0]);
  }

  /** The one task among `groups` (all when undefined) whose id begins so; deleted tasks do not count. */
  async findByPrefix(prefix: string, groups: readonly string[] | undefined): Promise<TaskFacts | undefined> {
    if (groups?.length === 0) return undefined;
    const ofGroups = groups === undefined ? "" : ` AND group_id IN (${groups.map(() => "?").join(", ")})`;
    const rows = await this.#pool.query<TaskRecord>(
      `SELECT * FROM tasks WHERE task_id BETWEEN ? AND ? AND deleted = FALSE${ofGroups} ORDER BY task_id LIMIT ?`,
      [prefix.padEnd(32, "0"), prefix.padEnd(32, "f"), ...(groups ?? []), MAX_CANDIDATES],
    );
    const [first, second] = rows;
    if (first === undefined) return undefined;
    if (second !== undefined)
      throw new AiepError("AMBIGUOUS_ID", `Several tasks begin with ${prefix}.`, {
        extensions: { candidates: rows.map((row) => row.task_id) },
      });
    return toFacts(first);
  }
}

function toFacts(row: TaskRecord): TaskFacts {
  const nodes = Object.entries(startedByNode.parse(fromJson(row.nodes)));
  return {
    taskId: row.task_id,
    groupId: row.group_id,
    state: taskState.parse(row.state),
    attempt: row.attempt,
    nodes: new Map(nodes.map(([node, started]) => [nodeName.parse(node) satisfies NodeName, started])),
    deleted: row.deleted !== 0,
  };
}
