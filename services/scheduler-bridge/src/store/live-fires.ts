/** Fires as a turn reads them, on the connection that holds the row (turns.ts). */
import { type BackfillId, LIVE_FIRE_STATES, type ScheduleId } from "@aiep/contracts";
import { allOf, equal, oneOf, rowsOf, type Sql, type SqlExecutor } from "@aiep/service-kit";
import type { Fire } from "../domain/fire.ts";
import { type FireRow, fireOf } from "./fire-rows.ts";

/** Oldest first; back-fills are not counted (overlap.ts, O4). */
export async function liveOfSchedule(tx: SqlExecutor, id: ScheduleId): Promise<readonly Fire[]> {
  return await live(tx, [...equal("source_id", id), ...oneOf("kind", ["schedule", "manual"])]);
}

export async function liveOfBackfill(tx: SqlExecutor, id: BackfillId): Promise<readonly Fire[]> {
  return await live(tx, equal("backfill_id", id));
}

async function live(tx: SqlExecutor, conditions: readonly Sql[]): Promise<readonly Fire[]> {
  const where = allOf([...conditions, ...oneOf("state", LIVE_FIRE_STATES)]);
  const rows = await tx.query<FireRow>(`SELECT * FROM fires WHERE ${where.text} ORDER BY seq`, where.values);
  return rows.map(fireOf);
}

/** Which of the keys have a fire already. */
export async function keysThere(tx: SqlExecutor, keys: readonly string[]): Promise<ReadonlySet<string>> {
  if (keys.length === 0) return new Set();
  const rows = await tx.query<{ fire_key: string }>(
    `SELECT fire_key FROM fires WHERE fire_key IN ${rowsOf(1, keys.length)}`,
    keys,
  );
  return new Set(rows.map(({ fire_key }) => fire_key));
}
