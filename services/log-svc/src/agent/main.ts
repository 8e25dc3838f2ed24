/** The log agent: runs on every node of a cluster, and once in the local stack (D17). */
import { hostname } from "node:os";
import { join } from "node:path";
import { connectBus, createLogger, runService, startTelemetry } from "@aiep/service-kit";
import { loadAgentConfig } from "../config.ts";
import { LogAgent } from "./agent.ts";
import { startProbes } from "./probes.ts";

const config = loadAgentConfig(process.env);
const log = createLogger({ service: "log-agent", level: config.AIEP_LOG_LEVEL });

await runService({
  name: "log-agent",
  log,
  async start(scope) {
    const telemetry = await startTelemetry({ service: "log-agent", version: "0.1.0" });
    scope.defer("release", "telemetry", () => telemetry.shutdown());
    const bus = scope.use(
      "bus",
      await connectBus({
        url: config.AIEP_NATS_URL,
        user: config.AIEP_NATS_USER,
        password: config.AIEP_NATS_PASSWORD,
        name: `log-agent@${hostname()}`,
        log,
      }),
    );
    const removeAfterSeconds = config.AIEP_AGENT_REMOVE_AFTER_SECONDS;
    const agent = await LogAgent.start({
      bus,
      log,
      env: config.AIEP_ENV,
      podsDir: config.AIEP_LOGS_DIR,
      checkpointFile: join(config.AIEP_AGENT_STATE_DIR, "checkpoint.json"),
      removeAfterMs: removeAfterSeconds === undefined ? undefined : removeAfterSeconds * 1_000,
    });
    scope.defer("drain", "agent", () => agent.stop());
    const probes = await startProbes({
      host: config.AIEP_HTTP_HOST,
      port: config.AIEP_METRICS_PORT,
      telemetry,
      isReady: () => bus.status === "connected",
    });
    scope.use("probes", probes);
  },
});
