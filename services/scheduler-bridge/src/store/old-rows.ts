/**
 * Rows that are not needed any more, deleted in short statements of at most `limit` rows each. Each method says how many went;
 * fewer than the limit: no more are old. What old means, and why nothing happens twice without them: control/retention.ts.
 */
import type { FireId } from "@aiep/contracts";
import { rowsOf, type Sql, type SqlPool, sql } from "@aiep/service-kit";

/** What still needs a fire that ended. */
const NEEDED = [
  "EXISTS (SELECT 1 FROM backfills b WHERE b.id = fires.backfill_id AND b.finished_at IS NULL)",
  "EXISTS (SELECT 1 FROM run_lineage l WHERE l.fire_id = fires.id)",
  "EXISTS (SELECT 1 FROM deliveries d WHERE d.publication_id = fires.source_id AND d.fire_id = fires.id)",
];
const FREE = NEEDED.map((needed) => `NOT ${needed}`).join(" AND ");
const OLD_FIRE = `finished_at < ? AND (last_wait_at IS NULL OR last_wait_at < ?) AND ${FREE}`;

/**
 * Published rows that may go once they are old: a publication's events are its history for as long as it stands somewhere, and
 * `fireMs` beyond that; null: for ever.
 */
export function historyToGo({ fireMs }: { readonly fireMs: number | null }): Sql {
  if (fireMs === null) return sql("aggregate_type <> 'publication'");
  return sql(
    `aggregate_type <> 'publication' OR EXISTS (SELECT 1 FROM publications p
       WHERE p.id = outbox.aggregate_id AND p.state = 'Unpublished' AND p.updated_at < NOW(3) - INTERVAL ? MICROSECOND)`,
    [fireMs * 1000],
  );
}

export class OldRows {
  readonly #pool: SqlPool;

  constructor(pool: SqlPool) {
    this.#pool = pool;
  }

  /** With their lines, in one transaction. Whatever came to need one of them meanwhile keeps it. */
  async fires(before: Date, limit: number): Promise<number> {
    const rows = await this.#pool.query<{ id: FireId }>(
      `SELECT id FROM fires WHERE ${OLD_FIRE} ORDER BY finished_at LIMIT ?`,
      [before, before, limit],
    );
    if (rows.length === 0) return 0;
    const ids = rows.map(({ id }) => id);
    const those = rowsOf(1, ids.length);
    return await this.#pool.transaction(async (tx) => {
      const { affectedRows } = await tx.execute(`DELETE FROM fires WHERE id IN ${those} AND ${OLD_FIRE}`, [
        ...ids,
        before,
        before,
      ]);
      await tx.execute(
        `DELETE FROM fire_lines WHERE fire_id IN ${those} AND NOT EXISTS (SELECT 1 FROM fires f WHERE f.id = fire_lines.fire_id)`,
        ids,
      );
      return affectedRows;
    });
  }

  /** Those that are over and have no fire any more. */
  async backfills(before: Date, limit: number): Promise<number> {
    return await this.#delete(
      `DELETE FROM backfills WHERE finished_at < ?
       AND NOT EXISTS (SELECT 1 FROM fires f WHERE f.backfill_id = backfills.id) ORDER BY finished_at LIMIT ?`,
      before,
      limit,
    );
  }

  /** What a waiting caller read, or would have read. Counted in fires. */
  async lines(before: Date, limit: number): Promise<number> {
    const rows = await this.#pool.query<{ id: FireId }>(
      `SELECT f.id FROM fires f WHERE f.finished_at < ? AND f.wait_token_hash IS NOT NULL
       AND EXISTS (SELECT 1 FROM fire_lines l WHERE l.fire_id = f.id) LIMIT ?`,
      [before, limit],
    );
    if (rows.length === 0) return 0;
    const ids = rows.map(({ id }) => id);
    await this.#pool.execute(`DELETE FROM fire_lines WHERE fire_id IN ${rowsOf(1, ids.length)}`, ids);
    return ids.length;
  }

  async deliveries(before: Date, limit: number): Promise<number> {
    const text = "DELETE FROM deliveries WHERE received_at < ? ORDER BY received_at LIMIT ?";
    return await this.#delete(text, before, limit);
  }

  async externalEvents(before: Date, limit: number): Promise<number> {
    const text = "DELETE FROM external_events WHERE received_at < ? ORDER BY received_at LIMIT ?";
    return await this.#delete(text, before, limit);
  }

  /** A run that old is not rerun, and causes nothing any more. */
  async lineage(before: Date, limit: number): Promise<number> {
    const text = "DELETE FROM run_lineage WHERE created_at < ? ORDER BY created_at LIMIT ?";
    return await this.#delete(text, before, limit);
  }

  async #delete(text: string, before: Date, limit: number): Promise<number> {
    return (await this.#pool.execute(text, [before, limit])).affectedRows;
  }
}
