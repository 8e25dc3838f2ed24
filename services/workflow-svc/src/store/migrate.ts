/** Brings the database to this version; at start and by `src/migrate.ts`. */
import { migrateDatabase, type SqlPool } from "@aiep/service-kit";

/** Names of the migrations that ran; empty when the database was up to date. */
export async function migrate(url: string, pool: SqlPool): Promise<readonly string[]> {
  return await migrateDatabase({
    url,
    pool,
    migrations: async () => (await import("./migrations/index.ts")).MIGRATIONS,
  });
}
