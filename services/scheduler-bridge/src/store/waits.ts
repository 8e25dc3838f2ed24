/**
 * Who waits for a fire: the token, the lease that each wait renews, and the lines that are still to be read. Times are the
 * database's alone, so that replicas with other clocks agree.
 */
import type { FireId, PublicationId } from "@aiep/contracts";
import { rowsOf, type Sql, type SqlPool, sql } from "@aiep/service-kit";
import type { RunLine } from "../domain/run-lines.ts";
import type { SchedulerKind } from "../schedulers/scheduler.ts";

export interface OverdueWait {
  readonly fireId: FireId;
  readonly publicationId: PublicationId;
  readonly scheduler: SchedulerKind;
  /** The scheduler's execution and attempt. */
  readonly externalId: string;
}

export class WaitStore {
  readonly #pool: SqlPool;

  constructor(pool: SqlPool) {
    this.#pool = pool;
  }

  /** The lease begins; goes with the transaction that makes the fire. */
  grant(fire: FireId, tokenHash: string): Sql {
    return sql("UPDATE fires SET wait_token_hash = ?, last_wait_at = NOW(3) WHERE id = ?", [tokenHash, fire]);
  }

  async granted(fire: FireId, tokenHash: string): Promise<void> {
    await this.#pool.execute(this.grant(fire, tokenHash));
  }

  async tokenHash(fire: string): Promise<string | undefined> {
    const [row] = await this.#pool.query<{ wait_token_hash: string | null }>(
      "SELECT wait_token_hash FROM fires WHERE id = ?",
      [fire],
    );
    return row?.wait_token_hash ?? undefined;
  }

  async renew(fire: FireId): Promise<void> {
    await this.#pool.execute("UPDATE fires SET last_wait_at = NOW(3) WHERE id = ?", [fire]);
  }

  async lines(fire: FireId, after: number, limit: number): Promise<readonly RunLine[]> {
    return await this.#pool.query<RunLine>(
      "SELECT number, text FROM fire_lines WHERE fire_id = ? AND number > ? ORDER BY number LIMIT ?",
      [fire, after, limit],
    );
  }

  /** Written again, they are the same. */
  append(fire: FireId, lines: readonly RunLine[]): readonly Sql[] {
    if (lines.length === 0) return [];
    return [
      sql(
        `INSERT IGNORE INTO fire_lines (fire_id, number, text) VALUES ${rowsOf(lines.length, 3)}`,
        lines.flatMap(({ number, text }) => [fire, number, text]),
      ),
    ];
  }

  /**
   * Waits that stopped: nobody asked for `leaseMs` while we could be reached, and the scheduler was not asked about it for
   * `againMs`. Oldest first.
   */
  async overdue(leaseMs: number, againMs: number, limit: number): Promise<readonly OverdueWait[]> {
    const rows = await this.#pool.query<{
      readonly id: FireId;
      readonly publication_id: PublicationId;
      readonly scheduler: SchedulerKind;
      readonly external_id: string;
    }>(
      `SELECT f.id, p.id AS publication_id, p.scheduler, f.external_id
       FROM fires f JOIN publications p ON p.id = f.source_id JOIN presence r
       WHERE ${OVERDUE} AND (f.lease_checked_at IS NULL OR f.lease_checked_at < NOW(3) - INTERVAL ? MICROSECOND)
       ORDER BY f.last_wait_at LIMIT ?`,
      [leaseMs * 1000, againMs * 1000, limit],
    );
    return rows.map((row) => ({
      fireId: row.id,
      publicationId: row.publication_id,
      scheduler: row.scheduler,
      externalId: row.external_id,
    }));
  }

  /** Still so, after the scheduler was asked. */
  async isOverdue(fire: FireId, leaseMs: number): Promise<boolean> {
    const rows = await this.#pool.query(
      `SELECT 1 FROM fires f JOIN presence r WHERE ${OVERDUE} AND f.id = ?`,
      [leaseMs * 1000, fire],
    );
    return rows.length > 0;
  }

  async checked(fire: FireId): Promise<void> {
    await this.#pool.execute("UPDATE fires SET lease_checked_at = NOW(3) WHERE id = ?", [fire]);
  }
}

/** A fire that is being cancelled is not watched any more. */
const OVERDUE = `f.state IN ('Ordered', 'Running') AND f.wait_token_hash IS NOT NULL AND (f.reason IS NULL OR f.reason <> 'Cancelling')
       AND GREATEST(f.last_wait_at, r.reachable_since) < NOW(3) - INTERVAL ? MICROSECOND`;
