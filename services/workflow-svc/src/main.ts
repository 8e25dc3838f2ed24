/** workflow-svc: experiments and runs (D20–D24). Settings: config.ts; what is started and in which order: service.ts. */
import { configOrExit, createLogger, runService } from "@aiep/service-kit";
import { loadWorkflowConfig } from "./config.ts";
import { startWorkflowService } from "./service.ts";

const config = configOrExit(loadWorkflowConfig, process.env);
const log = createLogger({ service: "workflow-svc", level: config.AIEP_LOG_LEVEL });

await runService({
  name: "workflow-svc",
  log,
  start: async (scope) => await startWorkflowService(config, log, scope),
});
// Whatever still holds the process, e.g. an idle socket, is not waited for.
process.exit();
