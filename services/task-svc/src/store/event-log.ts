/**
 * The outbox read as one sequence over all tasks, oldest first, for whoever follows everything (`GET /v1/events`).
 *
 * G1 Ids are given before the commit, so a row may become visible after one with a larger id. Reading stops before such a
 *    hole until it is filled, or so old that its transaction can only have been rolled back: no event is passed over.
 */
import type { EventView } from "@aiep/contracts";
import { type HistoryRow, historyEntryOf, type SqlPool } from "@aiep/service-kit";

export interface EventLog {
  /** Position of the newest event; 0 before the first. */
  newest(): Promise<number>;
  /** Events after a position. `more`: there is something behind a hole, or another page; look again soon. */
  after(
    position: number,
    limit: number,
  ): Promise<{ readonly events: readonly EventView[]; readonly more: boolean }>;
}

type EventRow = HistoryRow & {
  readonly id: number;
  readonly group_id: string;
  readonly aggregate_id: string;
  readonly age_ms: number;
};

/** Far longer than a transaction of the commit queue takes. */
const HOLE_SETTLES_MS = 5_000;

export function createEventLog(pool: SqlPool): EventLog {
  return {
    newest: async () => {
      const [row] = await pool.query<{ id: number | null }>("SELECT MAX(id) AS id FROM outbox", []);
      return row?.id ?? 0;
    },
    after: async (position, limit) => {
      const rows = await pool.query<EventRow>(
        `SELECT id, group_id, aggregate_id, aggregate_version, type, created_at, headers, payload,
           TIMESTAMPDIFF(MICROSECOND, created_at, UTC_TIMESTAMP(3)) / 1000 AS age_ms
         FROM outbox WHERE id > ? ORDER BY id LIMIT ?`,
        [position, limit],
      );
      const settled = beforeHole(rows, position);
      return { events: settled.map(viewOf), more: settled.length < rows.length || rows.length === limit };
    },
  };
}

/** G1. A hole in front of an old row is none: whoever had its ids has long committed or given up. */
export function beforeHole<Row extends { readonly id: number; readonly age_ms: number }>(
  rows: readonly Row[],
  position: number,
): readonly Row[] {
  let last = position;
  const end = rows.findIndex(({ id, age_ms }) => {
    const hole = id !== last + 1 && age_ms < HOLE_SETTLES_MS;
    last = id;
    return hole;
  });
  return end < 0 ? rows : rows.slice(0, end);
}

function viewOf(row: EventRow): EventView {
  return {
    position: String(row.id),
    group_id: row.group_id as EventView["group_id"], // written by newOutboxRecord from a branded id
    aggregate_id: row.aggregate_id,
    ...historyEntryOf(row),
  };
}
