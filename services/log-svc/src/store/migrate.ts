/** Brings the database to this version, one process at a time. The ORM is loaded only for that: its memory is not kept. */
import { type SqlPool, withDatabaseLock } from "@aiep/service-kit";

const LOCK_SECONDS = 60;

export async function migrate(databaseUrl: string, pool: SqlPool): Promise<void> {
  const [{ MikroORM }, { Migrator }, { MIGRATIONS }] = await Promise.all([
    import("@mikro-orm/mysql"),
    import("@mikro-orm/migrations"),
    import("./migrations.ts"),
  ]);
  const orm = await MikroORM.init({
    clientUrl: databaseUrl,
    entities: [],
    discovery: { warnWhenNoEntities: false },
    extensions: [Migrator],
    migrations: { migrationsList: MIGRATIONS, transactional: false, snapshot: false, silent: true },
    pool: { min: 0, max: 1 },
  });
  try {
    await withDatabaseLock(
      pool,
      "migrate",
      { waitSeconds: LOCK_SECONDS },
      async () => await orm.migrator.up(),
    );
  } finally {
    await orm.close(true);
  }
}
