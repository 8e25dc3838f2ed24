/** Brings scheduler-bridge's database to this version and exits; the service itself does the same when it starts. */
import { createLogger, createSqlPool, loadConfig, serviceEnvironment } from "@aiep/service-kit";
import * as z from "zod";
import { migrate } from "./store/migrate.ts";

const { AIEP_DATABASE_URL, AIEP_LOG_LEVEL } = serviceEnvironment;
const config = loadConfig(z.object({ AIEP_DATABASE_URL, AIEP_LOG_LEVEL }), process.env);
const log = createLogger({ service: "scheduler-bridge-migrate", level: config.AIEP_LOG_LEVEL });
await using pool = createSqlPool({ url: config.AIEP_DATABASE_URL });
log.info({ migrations: await migrate(config.AIEP_DATABASE_URL, pool) }, "database is up to date");
