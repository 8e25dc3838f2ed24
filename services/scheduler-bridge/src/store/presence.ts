/**
 * Since when callers could reach us without a pause (table `presence`, one row): every replica writes its heartbeat, and after
 * a gap the time begins anew. By the database's clock.
 */
import type { SqlPool } from "@aiep/service-kit";

export class PresenceStore {
  readonly #pool: SqlPool;

  constructor(pool: SqlPool) {
    this.#pool = pool;
  }

  /** `gapMs`: a silence longer than this was a time without us. */
  async beat(gapMs: number): Promise<void> {
    // Assignments are made from left to right: the gap is judged by the heartbeat before.
    await this.#pool.execute(
      `INSERT INTO presence (id, reachable_since, seen_at) VALUES (1, NOW(3), NOW(3))
       ON DUPLICATE KEY UPDATE
         reachable_since = IF(seen_at < NOW(3) - INTERVAL ? MICROSECOND, NOW(3), reachable_since),
         seen_at = NOW(3)`,
      [gapMs * 1000],
    );
  }
}
