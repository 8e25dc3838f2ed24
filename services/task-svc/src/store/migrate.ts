/** Brings the database to this version; at start and by `src/migrate.ts`. One process at a time, by a lock of the database. */
import type { SqlPool } from "@aiep/service-kit";
import type { Orm } from "./orm.ts";

const LOCK_SECONDS = 60;

/** Names of the migrations that ran; empty when the database was up to date. */
export async function migrate(orm: Orm, pool: SqlPool): Promise<readonly string[]> {
  return await pool.transaction(async (session) => {
    const [row] = await session.query<{ locked: number | null }>(
      "SELECT GET_LOCK(CONCAT('migrate-', DATABASE()), ?) AS locked",
      [LOCK_SECONDS],
    );
    if (row?.locked !== 1) throw new Error(`another process has been migrating for ${LOCK_SECONDS} s`);
    try {
      return (await orm.migrator.up()).map((migration) => migration.name);
    } finally {
      await session.query("DO RELEASE_LOCK(CONCAT('migrate-', DATABASE()))");
    }
  });
}
