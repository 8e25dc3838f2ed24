/** Back-fills in the database. What changes one that is there holds its row (turns.ts). */
import type { BackfillId, FireState, ScheduleId } from "@aiep/contracts";
import {
  allOf,
  type CommitQueue,
  compare,
  decodeCursor,
  equal,
  oneOf,
  type PageQuery,
  pageOf,
  type Sql,
  type SqlExecutor,
  type SqlPool,
  startsWith,
  type VisibleGroups,
} from "@aiep/service-kit";
import type { Backfill, BackfillChange, Progress } from "../domain/backfill.ts";
import { type BackfillRow, backfillOf, backfillStatements } from "./backfill-rows.ts";
import type { WriteOptions } from "./fire-store.ts";
import type { ChangeContext, OutboxAddress } from "./outbox.ts";
import { type Decision, takeTurn } from "./turns.ts";

export interface BackfillStoreDeps {
  readonly pool: SqlPool;
  readonly commits: Pick<CommitQueue, "commit" | "transaction">;
  readonly address: OutboxAddress;
}

export class BackfillStore {
  readonly #deps: BackfillStoreDeps;

  constructor(deps: BackfillStoreDeps) {
    this.#deps = deps;
  }

  statements(change: BackfillChange, context?: ChangeContext): readonly Sql[] {
    return backfillStatements(change, { address: this.#deps.address, context });
  }

  async create(change: BackfillChange, { context, also = [] }: WriteOptions = {}): Promise<void> {
    await this.#deps.commits.commit({
      key: change.backfill.id,
      statements: [...this.statements(change, context), ...also],
    });
  }

  /** Reads, decides and writes with the back-fill's row held. Undefined when there is none. */
  async turn<Result>(
    id: BackfillId,
    decide: (tx: SqlExecutor, backfill: Backfill) => Promise<Decision<Result>>,
  ): Promise<Result | undefined> {
    const lock = async (tx: SqlExecutor) => {
      const [row] = await tx.query<BackfillRow>("SELECT * FROM backfills WHERE id = ? FOR UPDATE", [id]);
      return row && backfillOf(row);
    };
    return await takeTurn(this.#deps.commits, lock, decide);
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
    const [row] = await this.#deps.pool.query<BackfillRow>("SELECT * FROM backfills WHERE id = ?", [id]);
    return row && backfillOf(row);
  }

  async open(schedule?: ScheduleId): Promise<readonly BackfillId[]> {
    const where = allOf([...oneOf("state", ["Running", "Paused"]), ...equal("schedule_id", schedule)]);
    const rows = await this.#deps.pool.query<{ id: BackfillId }>(
      `SELECT id FROM backfills WHERE ${where.text} ORDER BY seq`,
      where.values,
    );
    return rows.map(({ id }) => id);
  }

  async findByPrefix(prefix: string, groups: VisibleGroups, limit: number) {
    if (groups !== "all" && groups.length === 0) return [];
    const where = allOf([
      ...startsWith("id", prefix),
      ...oneOf("group_id", groups === "all" ? undefined : groups),
    ]);
    return await this.#deps.pool.query<{ id: BackfillId; state: string }>(
      `SELECT id, state FROM backfills WHERE ${where.text} ORDER BY seq DESC LIMIT ?`,
      [...where.values, limit],
    );
  }

  async list(
    schedule: ScheduleId,
    page: PageQuery,
  ): Promise<{ readonly items: readonly Backfill[]; readonly nextCursor: string | null }> {
    const query = { ...page, schedule };
    const where = allOf([...equal("schedule_id", schedule), ...compare("seq <", decodeCursor(query))]);
    const rows = await this.#deps.pool.query<BackfillRow>(
      `SELECT * FROM backfills WHERE ${where.text} ORDER BY seq DESC LIMIT ?`,
      [...where.values, page.limit + 1],
    );
    const { items, nextCursor } = pageOf(rows, query);
    return { items: items.map(backfillOf), nextCursor };
  }
}
