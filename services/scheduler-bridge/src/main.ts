/** scheduler-bridge: publications, schedules and triggers (D25–D27). Settings: config.ts; what is started and in which order: service.ts. */
import { configOrExit, createLogger, runService } from "@aiep/service-kit";
import { loadBridgeConfig } from "./config.ts";
import { startSchedulerBridge } from "./service.ts";

const config = configOrExit(loadBridgeConfig, process.env);
const log = createLogger({ service: "scheduler-bridge", level: config.AIEP_LOG_LEVEL });

await runService({
  name: "scheduler-bridge",
  log,
  start: async (scope) => await startSchedulerBridge(config, log, scope),
});
// Whatever still holds the process, e.g. an idle socket, is not waited for.
process.exit();
