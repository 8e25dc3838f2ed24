import { type Sql, sql } from "@aiep/service-kit";

/**
 * Which rows of the outbox nobody reads any more: a task's history is there for as long as the task can be read (D16), and
 * after its deletion it is kept whole and goes whole, so that a refilled stream never holds the end of a history alone.
 */
export function historyToGo(keepMs: number): Sql {
  return sql(
    `NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.id = outbox.aggregate_id
       AND (tasks.deleted_at IS NULL OR tasks.deleted_at > UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND))`,
    [keepMs * 1000],
  );
}
