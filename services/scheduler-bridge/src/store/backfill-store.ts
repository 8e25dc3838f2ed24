/** Back-fills in the database. What changes one that is there holds its row (turns.ts). */
import type { BackfillId, FireState, ScheduleId } from "@aiep/contracts";
import {
  allOf,
  equal,
  type ListedPage,
  oneOf,
  type PageQuery,
  pageOfRows,
  rowsByPrefix,
  type SqlExecutor,
  type VisibleGroups,
} from "@aiep/service-kit";
import type { Backfill, BackfillChange, Progress } from "../domain/backfill.ts";
import { type BackfillRow, backfillOf, backfillStatements } from "./backfill-rows.ts";
import { TurnStore, type TurnStoreDeps } from "./turns.ts";

async function lock(tx: SqlExecutor, id: string): Promise<Backfill | undefined> {
  const [row] = await tx.query<BackfillRow>("SELECT * FROM backfills WHERE id = ? FOR UPDATE", [id]);
  return row && backfillOf(row);
}

export class BackfillStore extends TurnStore<BackfillId, Backfill, BackfillChange> {
  constructor(deps: TurnStoreDeps) {
    super(deps, { lock, statements: backfillStatements, idOf: ({ backfill }) => backfill.id });
  }

  /** Counted from its fires. */
  async progress(tx: SqlExecutor, id: BackfillId): Promise<Progress> {
    const rows = await tx.query<{ state: FireState; fires: number }>(
      "SELECT state, COUNT(*) AS fires FROM fires WHERE backfill_id = ? GROUP BY state",
      [id],
    );
    const of = (...states: readonly FireState[]) =>
      rows.reduce((sum, { state, fires }) => sum + (states.includes(state) ? Number(fires) : 0), 0);
    const started = rows.reduce((sum, { fires }) => sum + Number(fires), 0);
    const succeeded = of("Succeeded");
    return { started, succeeded, failed: started - succeeded - of("Queued", "Ordered", "Running") };
  }

  async get(id: BackfillId): Promise<Backfill | undefined> {
    const [row] = await this.deps.pool.query<BackfillRow>("SELECT * FROM backfills WHERE id = ?", [id]);
    return row && backfillOf(row);
  }

  async open(schedule?: ScheduleId): Promise<readonly BackfillId[]> {
    const where = allOf([...oneOf("state", ["Running", "Paused"]), ...equal("schedule_id", schedule)]);
    const rows = await this.deps.pool.query<{ id: BackfillId }>(
      `SELECT id FROM backfills WHERE ${where.text} ORDER BY seq`,
      where.values,
    );
    return rows.map(({ id }) => id);
  }

  async findByPrefix(prefix: string, groups: VisibleGroups, limit: number) {
    const list = { table: "backfills", columns: "id, state" };
    return await rowsByPrefix<{ id: BackfillId; state: string }>(this.deps.pool, list, prefix, groups, limit);
  }

  async list(schedule: ScheduleId, page: PageQuery): Promise<ListedPage<Backfill>> {
    const list = { select: "SELECT * FROM backfills", where: equal("schedule_id", schedule) };
    const query = { ...page, schedule };
    const { items, nextCursor } = await pageOfRows<BackfillRow>(this.deps.pool, list, query, "all");
    return { items: items.map(backfillOf), nextCursor };
  }
}
