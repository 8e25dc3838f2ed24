/** Brings the database to this version. */
import { migrateDatabase, type SqlPool } from "@aiep/service-kit";

export async function migrate(url: string, pool: SqlPool): Promise<void> {
  await migrateDatabase({ url, pool, migrations: async () => (await import("./migrations.ts")).MIGRATIONS });
}
