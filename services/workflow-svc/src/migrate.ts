/** Brings workflow-svc's database to this version and exits; the service itself does the same when it starts. */
import { createLogger, createSqlPool, loadConfig, serviceEnvironment } from "@aiep/service-kit";
import * as z from "zod";
import { migrate } from "./store/migrate.ts";
import { openOrm } from "./store/orm.ts";

const { AIEP_DATABASE_URL, AIEP_LOG_LEVEL } = serviceEnvironment;
const config = loadConfig(z.object({ AIEP_DATABASE_URL, AIEP_LOG_LEVEL }), process.env);
const log = createLogger({ service: "workflow-svc-migrate", level: config.AIEP_LOG_LEVEL });
await using pool = createSqlPool({ url: config.AIEP_DATABASE_URL });
const orm = await openOrm(config.AIEP_DATABASE_URL);
try {
  log.info({ migrations: await migrate(orm, pool) }, "database is up to date");
} finally {
  await orm.close();
}
