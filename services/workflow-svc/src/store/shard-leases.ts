/**
 * Who owns which shards, by the database's clock (D21). One round trip renews all shards of a replica and tells how many
 * replicas live. The epoch grows whenever a shard changes hands and is part of every commit (R2).
 */
import { type SqlPool, sql } from "@aiep/service-kit";

export interface HeldShard {
  readonly shard: number;
  readonly epoch: number;
}

export interface ShardView {
  /** What the table says this replica holds. */
  readonly held: readonly HeldShard[];
  /** Replicas that live, this one included. */
  readonly replicas: number;
  /** Shards that nobody holds. */
  readonly free: number;
}

export interface ShardLeases {
  /** Says that the replica lives, and renews what it holds. */
  renew(ttlMs: number): Promise<ShardView>;
  /** Takes at most so many free shards, each with a new epoch. */
  take(most: number, ttlMs: number): Promise<readonly HeldShard[]>;
  /** Gives shards up, so that others need not wait for the time to run out. */
  release(shards: readonly HeldShard[]): Promise<void>;
  /** The replica is no more: others may take a larger share. */
  leave(): Promise<void>;
}

const FREED = "'2000-01-01'";

export function createShardLeases(pool: SqlPool, holder: string): ShardLeases {
  const until = "NOW(3) + INTERVAL ? MICROSECOND";
  return {
    renew: async (ttlMs) => {
      const results = await pool.multi([
        sql(
          `INSERT INTO replicas (id, expires_at) VALUES (?, ${until}) ON DUPLICATE KEY UPDATE expires_at = VALUES(expires_at)`,
          [holder, ttlMs * 1000],
        ),
        sql(`UPDATE shard_leases SET expires_at = ${until} WHERE holder = ?`, [ttlMs * 1000, holder]),
        sql("SELECT shard, epoch FROM shard_leases WHERE holder = ?", [holder]),
        sql(`SELECT (SELECT COUNT(*) FROM replicas WHERE expires_at > NOW(3)) AS replicas,
               (SELECT COUNT(*) FROM shard_leases WHERE expires_at <= NOW(3)) AS free`),
      ]);
      const held = results[2] as HeldShard[]; // the third and fourth are SELECTs
      const [counts] = results[3] as { replicas: number; free: number }[];
      return { held, replicas: counts?.replicas ?? 1, free: counts?.free ?? 0 };
    },
    take: async (most, ttlMs) => {
      const results = await pool.multi([
        sql("SELECT shard FROM shard_leases WHERE holder = ?", [holder]),
        sql(
          `UPDATE shard_leases SET holder = ?, epoch = epoch + 1, expires_at = ${until}
           WHERE expires_at <= NOW(3) ORDER BY shard LIMIT ?`,
          [holder, ttlMs * 1000, most],
        ),
        sql("SELECT shard, epoch FROM shard_leases WHERE holder = ?", [holder]),
      ]);
      const before = new Set((results[0] as { shard: number }[]).map(({ shard }) => shard));
      return (results[2] as HeldShard[]).filter(({ shard }) => !before.has(shard));
    },
    release: async (shards) => {
      if (shards.length === 0) return;
      const each = shards.map(({ shard, epoch }) => `(${shard}, ${epoch})`).join(", ");
      await pool.execute(
        `UPDATE shard_leases SET holder = '', expires_at = ${FREED} WHERE holder = ? AND (shard, epoch) IN (${each})`,
        [holder],
      );
    },
    leave: async () => {
      await pool.multi([
        sql(`UPDATE shard_leases SET holder = '', expires_at = ${FREED} WHERE holder = ?`, [holder]),
        sql("DELETE FROM replicas WHERE id = ? OR expires_at < NOW(3) - INTERVAL 1 HOUR", [holder]),
      ]);
    },
  };
}
