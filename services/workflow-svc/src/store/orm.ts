/** MikroORM of this service: migrations, entities of whoever defines some. Opened here and closed by whoever opened it. */
import { Migrator } from "@mikro-orm/migrations";
import { defineConfig, MikroORM } from "@mikro-orm/mysql";
import { MIGRATIONS } from "./migrations/index.ts";

export type Orm = Awaited<ReturnType<typeof openOrm>>;

export async function openOrm(url: string, connectionLimit = 4) {
  return await MikroORM.init(
    defineConfig({
      clientUrl: url,
      entities: [],
      charset: "utf8mb4",
      timezone: "Z",
      pool: { min: 0, max: connectionLimit },
      driverOptions: { enableKeepAlive: true, connectTimeout: 5_000 },
      extensions: [Migrator],
      migrations: {
        migrationsList: MIGRATIONS,
        // MySQL and MariaDB commit at each DDL statement, whatever the transaction says.
        transactional: false,
        allOrNothing: false,
        snapshot: false,
        silent: true,
      },
      logger: () => undefined,
      discovery: { warnWhenNoEntities: false },
      metadataCache: { enabled: false },
    }),
  );
}
