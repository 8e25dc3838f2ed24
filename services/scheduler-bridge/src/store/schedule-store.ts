/** Schedules in the database. What changes one that is there holds its row (turns.ts). */
import type { ExperimentId, GroupId, PublicationId, ScheduleId } from "@aiep/contracts";
import {
  equal,
  type ListedPage,
  type PageQuery,
  pageOfRows,
  rowsByPrefix,
  type SqlExecutor,
  sql,
  type VisibleGroups,
} from "@aiep/service-kit";
import type { Schedule, ScheduleChange } from "../domain/schedule.ts";
import { SCHEDULE_COLUMNS, type ScheduleRow, scheduleOf, scheduleStatements } from "./schedule-rows.ts";
import { TurnStore, type TurnStoreDeps } from "./turns.ts";

export interface ScheduleQuery extends PageQuery {
  readonly group_id?: readonly GroupId[] | undefined;
  readonly experiment_id?: ExperimentId | undefined;
  readonly paused?: boolean | undefined;
}

const SELECT = `SELECT ${SCHEDULE_COLUMNS} FROM schedules s`;

/** Also one that was deleted. */
export async function readSchedule(db: SqlExecutor, id: ScheduleId): Promise<Schedule | undefined> {
  const [row] = await db.query<ScheduleRow>(`${SELECT} WHERE s.id = ?`, [id]);
  return row && scheduleOf(row);
}

async function lock(tx: SqlExecutor, id: string): Promise<Schedule | undefined> {
  const [row] = await tx.query<ScheduleRow>(`${SELECT} WHERE s.id = ? AND s.deleted = 0 FOR UPDATE`, [id]);
  return row && scheduleOf(row);
}

export class ScheduleStore extends TurnStore<ScheduleId, Schedule, ScheduleChange> {
  constructor(deps: TurnStoreDeps) {
    super(deps, { lock, statements: scheduleStatements, idOf: ({ schedule }) => schedule.id });
  }

  async get(id: ScheduleId): Promise<Schedule | undefined> {
    return await this.#one("s.id = ?", id);
  }

  async ofPublication(id: PublicationId): Promise<Schedule | undefined> {
    return await this.#one("s.publication_id = ?", id);
  }

  /** Earliest first. */
  async due(now: Date, limit: number): Promise<readonly ScheduleId[]> {
    const rows = await this.deps.pool.query<{ id: ScheduleId }>(
      "SELECT id FROM schedules WHERE next_fire_at <= ? ORDER BY next_fire_at LIMIT ?",
      [now, limit],
    );
    return rows.map(({ id }) => id);
  }

  async earliest(): Promise<Date | null> {
    const [row] = await this.deps.pool.query<{ at: Date | null }>(
      "SELECT MIN(next_fire_at) AS at FROM schedules",
    );
    return row?.at ?? null;
  }

  /** Those of which fires wait, back-fills not counted. */
  async withQueuedFires(): Promise<readonly ScheduleId[]> {
    const rows = await this.deps.pool.query<{ id: ScheduleId }>(
      "SELECT DISTINCT source_id AS id FROM fires WHERE state = 'Queued' AND kind IN ('schedule', 'manual')",
    );
    return rows.map(({ id }) => id);
  }

  async findByPrefix(prefix: string, groups: VisibleGroups, limit: number) {
    const list = { table: "schedules", columns: "id, name", where: "deleted = 0" };
    return await rowsByPrefix<{ id: ScheduleId; name: string }>(this.deps.pool, list, prefix, groups, limit);
  }

  async list(query: ScheduleQuery, groups: VisibleGroups): Promise<ListedPage<Schedule>> {
    const where = [
      sql("s.deleted = 0"),
      ...equal("s.experiment_id", query.experiment_id),
      ...equal("s.paused", query.paused),
    ];
    const list = { select: SELECT, alias: "s.", where };
    const { items, nextCursor } = await pageOfRows<ScheduleRow>(this.deps.pool, list, query, groups);
    return { items: items.map(scheduleOf), nextCursor };
  }

  async #one(condition: string, value: string): Promise<Schedule | undefined> {
    const [row] = await this.deps.pool.query<ScheduleRow>(`${SELECT} WHERE ${condition} AND s.deleted = 0`, [
      value,
    ]);
    return row && scheduleOf(row);
  }
}
