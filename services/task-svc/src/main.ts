/** task-svc: container tasks (D11–D16). Settings: config.ts; what is started and in which order: service.ts. */
import { configOrExit, createLogger, runService } from "@aiep/service-kit";
import { loadTaskConfig } from "./config.ts";
import { startTaskService } from "./service.ts";

const config = configOrExit(loadTaskConfig, process.env);
const log = createLogger({ service: "task-svc", level: config.AIEP_LOG_LEVEL });

await runService({
  name: "task-svc",
  log,
  start: async (scope) => await startTaskService(config, log, scope),
});
// Whatever still holds the process, e.g. an idle socket, is not waited for.
process.exit();
