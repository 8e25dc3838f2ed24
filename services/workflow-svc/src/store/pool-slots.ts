/**
 * Pools (D21): so many slots, shared by all runs. A wish is written and taken back with the commit of its run; slots are given
 * in order of priority and age, all a node wants or none, and nobody overtakes. The grant is a request to the wish's run, so
 * that it reaches whoever owns it.
 */
import type { RunId } from "@aiep/contracts";
import { type Sql, type SqlPool, sql } from "@aiep/service-kit";
import { insertRequest } from "./run-statements.ts";

export interface PoolWish {
  readonly pool: string;
  readonly key: string;
  readonly attempt: number;
  readonly slots: number;
  readonly priority: number;
}

/** `granted`: 0 waits, 1 holds its slots, 2 holds them and is to be told so again. */
const TOLD = 1;

/** A second wish of a node replaces the first; one that was granted stays granted, and is told again: who asks does not know. */
export function wishSlots(run: RunId, { pool, key, attempt, slots, priority }: PoolWish): Sql {
  return sql(
    `INSERT INTO pool_wishes (pool, run_id, node_key, attempt, slots, priority, granted) VALUES (?, ?, ?, ?, ?, ?, 0)
     ON DUPLICATE KEY UPDATE attempt = VALUES(attempt), slots = VALUES(slots), priority = VALUES(priority),
       granted = IF(granted = 0, 0, 2)`,
    [pool, run, key, attempt, slots, priority],
  );
}

export function releaseSlots(run: RunId, key: string): Sql {
  return sql("DELETE FROM pool_wishes WHERE run_id = ? AND node_key = ?", [run, key]);
}

interface WishRow {
  readonly id: number;
  readonly run_id: RunId;
  readonly node_key: string;
  readonly attempt: number;
  readonly slots: number;
  readonly granted: number;
}

/** Gives what is free; true when something was given. */
export async function grantSlots(sqlPool: SqlPool, pool: string, capacity: number): Promise<boolean> {
  return await sqlPool.transaction(async (tx) => {
    const rows = await tx.query<WishRow>(
      `SELECT id, run_id, node_key, attempt, slots, granted FROM pool_wishes WHERE pool = ?
       ORDER BY granted > 0 DESC, priority DESC, id FOR UPDATE`,
      [pool],
    );
    const given = [...rows.filter(({ granted }) => granted > TOLD), ...chooseGrants(rows, capacity)];
    if (given.length === 0) return false;
    await tx.multi([
      `UPDATE pool_wishes SET granted = 1 WHERE id IN (${given.map(({ id }) => id).join(", ")})`,
      ...given.map(({ run_id: run, node_key: node, attempt }) =>
        insertRequest(run, { kind: "slots_granted", node, attempt }),
      ),
    ]);
    return true;
  });
}

/** Rows with those that hold slots first, then in the order of their turn. */
export function chooseGrants<Row extends Pick<WishRow, "slots" | "granted">>(
  rows: readonly Row[],
  capacity: number,
): readonly Row[] {
  let free = rows.reduce((left, { granted, slots }) => (granted ? left - slots : left), capacity);
  const given: Row[] = [];
  for (const row of rows) {
    if (row.granted || row.slots > capacity) continue; // what can never fit holds nobody up
    if (row.slots > free) break;
    free -= row.slots;
    given.push(row);
  }
  return given;
}

/** Pools in which somebody waits. */
export async function wantedPools(sqlPool: SqlPool): Promise<readonly string[]> {
  const rows = await sqlPool.query<{ pool: string }>(
    "SELECT DISTINCT pool FROM pool_wishes WHERE granted <> 1",
  );
  return rows.map(({ pool }) => pool);
}
