/** The relay's statements (D5). Plain reads and marks by id: no row stays locked while the network is asked. */
import type { Headers } from "../bus/message.ts";
import type { SqlPool } from "../sql/pool.ts";
import { rowsOf, type Sql, type SqlValue, sql } from "../sql/sql.ts";

export interface OutboxRow {
  readonly id: number;
  readonly event_id: string;
  readonly stream: string;
  readonly subject: string;
  readonly type: string;
  readonly aggregate_type: string;
  readonly aggregate_id: string;
  readonly aggregate_version: number;
  readonly headers: Headers;
  /** JSON text. */
  readonly payload: string;
}

type StoredRow = Omit<OutboxRow, "headers"> & { readonly headers: string };

export interface StreamMemory {
  readonly stream: string;
  readonly stream_created: string;
  readonly acked_seq: number;
}

export interface AggregateKey {
  readonly aggregate_type: string;
  readonly aggregate_id: string;
}

export interface RelayLag {
  /** Rows waiting. */
  readonly rows: number;
  /** Age of the oldest, in milliseconds; 0 when none waits. */
  readonly oldestMs: number;
  readonly parked: number;
}

const COLUMNS =
  "id, event_id, stream, subject, type, aggregate_type, aggregate_id, aggregate_version, headers, payload";

export class OutboxStore {
  readonly #pool: SqlPool;

  constructor(pool: SqlPool) {
    this.#pool = pool;
  }

  /** Rows not yet on the bus in id order, without those given: rows on their way, and all of resting aggregates. */
  async unpublished(
    limit: number,
    without: { readonly ids: readonly number[]; readonly aggregates: readonly AggregateKey[] },
  ): Promise<OutboxRow[]> {
    const { ids, aggregates } = without;
    const values: SqlValue[] = aggregates.flatMap((key) => [key.aggregate_type, key.aggregate_id]);
    const onTheirWay = ids.length === 0 ? "" : ` AND id NOT IN (${ids.join(", ")})`;
    const resting =
      aggregates.length === 0
        ? ""
        : ` AND (aggregate_type, aggregate_id) NOT IN (${rowsOf(aggregates.length, 2)})`;
    const rows = await this.#pool.query<StoredRow>(
      `SELECT ${COLUMNS} FROM outbox WHERE published_at IS NULL AND parked_at IS NULL${onTheirWay}${resting} ORDER BY id LIMIT ?`,
      [...values, limit],
    );
    return rows.map((row) => ({ ...row, headers: JSON.parse(row.headers) as Headers })); // written by outboxInsert
  }

  async markPublished(ids: readonly number[], acked: ReadonlyMap<string, number>): Promise<void> {
    if (ids.length === 0) return;
    const sequences = [...acked].map(([stream, seq]) => acknowledgedStatement(stream, seq));
    await this.#pool.multi([
      "START TRANSACTION",
      `UPDATE outbox SET published_at = NOW(3), error = NULL WHERE id IN (${ids.join(", ")})`,
      ...sequences,
      "COMMIT",
    ]);
  }

  /** The row and every later one of its aggregate rest until an administrator frees them; other aggregates go on (I12). */
  async park(row: OutboxRow, error: string): Promise<void> {
    const text = error.slice(0, 512);
    await this.#pool.execute(
      `UPDATE outbox SET parked_at = NOW(3), error = IF(id = ?, ?, 'an earlier event of the aggregate is parked')
       WHERE aggregate_type = ? AND aggregate_id = ? AND aggregate_version >= ? AND published_at IS NULL`,
      [row.id, text, row.aggregate_type, row.aggregate_id, row.aggregate_version],
    );
  }

  async isParked(key: AggregateKey): Promise<boolean> {
    const rows = await this.#pool.query(
      "SELECT id FROM outbox WHERE aggregate_type = ? AND aggregate_id = ? AND parked_at IS NOT NULL LIMIT 1",
      [key.aggregate_type, key.aggregate_id],
    );
    return rows.length > 0;
  }

  async parkedAggregates(): Promise<readonly AggregateKey[]> {
    return await this.#pool.query<AggregateKey>(
      "SELECT DISTINCT aggregate_type, aggregate_id FROM outbox WHERE parked_at IS NOT NULL",
    );
  }

  /** Streams that any row belongs to. */
  async streams(): Promise<readonly string[]> {
    const rows = await this.#pool.query<{ stream: string }>("SELECT DISTINCT stream FROM outbox");
    return rows.map((row) => row.stream);
  }

  async memories(): Promise<ReadonlyMap<string, StreamMemory>> {
    const rows = await this.#pool.query<StreamMemory>(
      "SELECT stream, stream_created, acked_seq FROM relay_state",
    );
    return new Map(rows.map((row) => [row.stream, row]));
  }

  /** One transaction: every history row of the stream is to be published again, and the new stream is the known one. */
  async republishAll(stream: string, created: string): Promise<number> {
    return await this.#pool.transaction(async (tx) => {
      const { affectedRows } = await tx.execute(
        "UPDATE outbox SET published_at = NULL WHERE stream = ? AND published_at IS NOT NULL",
        [stream],
      );
      await tx.execute(rememberStatement(stream, created));
      return affectedRows;
    });
  }

  async lag(): Promise<RelayLag> {
    const [row] = await this.#pool.query<{ waiting: number; oldest: number | null; parked: number }>(
      `SELECT COALESCE(SUM(parked_at IS NULL), 0) AS waiting, COALESCE(SUM(parked_at IS NOT NULL), 0) AS parked,
         TIMESTAMPDIFF(MICROSECOND, MIN(IF(parked_at IS NULL, created_at, NULL)), UTC_TIMESTAMP(3)) / 1000 AS oldest
       FROM outbox WHERE published_at IS NULL`,
    );
    return {
      rows: Number(row?.waiting ?? 0),
      oldestMs: Math.max(0, Number(row?.oldest ?? 0)),
      parked: Number(row?.parked ?? 0),
    };
  }

  /** Deletes old published rows in small steps; true when there may be more. */
  async purge(olderThanMs: number, where: Sql | undefined, limit: number): Promise<boolean> {
    const { affectedRows } = await this.#pool.execute(
      `DELETE FROM outbox WHERE published_at < NOW(3) - INTERVAL ? MICROSECOND${where === undefined ? "" : ` AND (${where.text})`} ORDER BY published_at LIMIT ?`,
      [olderThanMs * 1000, ...(where?.values ?? []), limit],
    );
    return affectedRows === limit;
  }
}

function acknowledgedStatement(stream: string, seq: number): Sql {
  return sql("UPDATE relay_state SET acked_seq = GREATEST(acked_seq, ?) WHERE stream = ?", [seq, stream]);
}

function rememberStatement(stream: string, created: string): Sql {
  return sql(
    "INSERT INTO relay_state (stream, stream_created, acked_seq) VALUES (?, ?, 0) ON DUPLICATE KEY UPDATE stream_created = ?, acked_seq = 0",
    [stream, created, created],
  );
}
