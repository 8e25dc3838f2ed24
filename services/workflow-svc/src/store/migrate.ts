/** Brings the database to this version; at start and by `src/migrate.ts`. One process at a time. */
import { type SqlPool, withDatabaseLock } from "@aiep/service-kit";
import type { Orm } from "./orm.ts";

const LOCK_SECONDS = 60;

/** Names of the migrations that ran; empty when the database was up to date. */
export async function migrate(orm: Orm, pool: SqlPool): Promise<readonly string[]> {
  return await withDatabaseLock(pool, "migrate", { waitSeconds: LOCK_SECONDS }, async () =>
    (await orm.migrator.up()).map((migration) => migration.name),
  );
}
