/** Brings the database to this version's schema. Loaded only for that: the ORM's memory is not kept. */
export async function migrate(databaseUrl: string): Promise<void> {
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
    await orm.migrator.up();
  } finally {
    await orm.close(true);
  }
}
