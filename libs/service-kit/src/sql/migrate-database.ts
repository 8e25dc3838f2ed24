/**
 * Brings a service's database to its version, one process at a time. MikroORM is loaded only for that: its memory is not kept.
 * For services whose store is statements alone; one with entities opens an ORM of its own.
 */
import type { Migration } from "@mikro-orm/migrations";
import { withDatabaseLock } from "./database-lock.ts";
import type { SqlPool } from "./pool.ts";

/** In order. A released one never changes; a change is a new one at the end. */
export type MigrationList = readonly {
  readonly name: string;
  readonly class: new (...of: ConstructorParameters<typeof Migration>) => Migration;
}[];

const LOCK_SECONDS = 60;

/** Names of the migrations that ran; empty when the database was up to date. */
export async function migrateDatabase(options: {
  readonly url: string;
  readonly pool: SqlPool;
  /** Loaded late too: `async () => (await import("./migrations/index.ts")).MIGRATIONS`. */
  readonly migrations: () => Promise<MigrationList>;
}): Promise<readonly string[]> {
  const [{ MikroORM }, { Migrator }, migrations] = await Promise.all([
    import("@mikro-orm/mysql"),
    import("@mikro-orm/migrations"),
    options.migrations(),
  ]);
  const orm = await MikroORM.init({
    clientUrl: options.url,
    entities: [],
    charset: "utf8mb4",
    timezone: "Z",
    pool: { min: 0, max: 1 },
    extensions: [Migrator],
    migrations: {
      migrationsList: [...migrations],
      // MySQL and MariaDB commit at each DDL statement, whatever the transaction says.
      transactional: false,
      allOrNothing: false,
      snapshot: false,
      silent: true,
    },
    logger: () => undefined,
    discovery: { warnWhenNoEntities: false },
    metadataCache: { enabled: false },
  });
  try {
    return await withDatabaseLock(options.pool, "migrate", { waitSeconds: LOCK_SECONDS }, async () =>
      (await orm.migrator.up()).map(({ name }) => name),
    );
  } finally {
    await orm.close(true);
  }
}
