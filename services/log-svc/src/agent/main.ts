/** The log agent: runs on every node of a cluster, and once in the local stack (D17). */
import { hostname } from "node:os";
import { join } from "node:path";
import {
  busCheck,
  configOrExit,
  connectBus,
  createLogger,
  createProbes,
  readVersion,
  runService,
  startTelemetry,
} from "@aiep/service-kit";
import { loadAgentConfig } from "../config.ts";
import { LogAgent } from "./agent.ts";
import { openSource } from "./sources.ts";

const SERVICE = "log-agent";
const config = configOrExit(loadAgentConfig, process.env);
const log = createLogger({ service: SERVICE, level: config.AIEP_LOG_LEVEL });
const version = await readVersion(new URL("../../package.json", import.meta.url));

await runService({
  name: SERVICE,
  log,
  async start(scope) {
    const telemetry = await startTelemetry({
      service: SERVICE,
      version,
      otlpEndpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT,
    });
    scope.defer("release", "telemetry", () => telemetry.shutdown());
    const bus = scope.use(
      "bus",
      await connectBus({
        url: config.AIEP_NATS_URL,
        user: config.AIEP_NATS_USER,
        password: config.AIEP_NATS_PASSWORD,
        name: `${SERVICE}@${hostname()}`,
        log,
      }),
    );
    const source = await openSource(config, log, scope);
    const removeAfterSeconds = config.AIEP_AGENT_REMOVE_AFTER_SECONDS;
    const agent = await LogAgent.start({
      bus,
      log,
      meter: telemetry.meter,
      env: config.AIEP_ENV,
      resolver: source.resolver,
      podsDir: config.AIEP_LOGS_DIR,
      checkpointFile: join(config.AIEP_AGENT_STATE_DIR, "checkpoint.json"),
      removeAfterMs: removeAfterSeconds === undefined ? undefined : removeAfterSeconds * 1_000,
    });
    scope.defer("drain", "agent", () => agent.stop());
    const probes = scope.use(
      "probes",
      createProbes({
        service: SERVICE,
        version,
        ...(config.AIEP_GIT_COMMIT === undefined ? {} : { gitCommit: config.AIEP_GIT_COMMIT }),
        host: config.AIEP_HTTP_HOST,
        probePort: config.AIEP_METRICS_PORT,
        log,
        telemetry,
        checks: [
          busCheck(bus),
          {
            name: "pods",
            check: () => {
              const trouble = source.trouble();
              if (trouble !== null) throw new Error(trouble);
            },
          },
        ],
      }),
    );
    scope.defer("intake", "probes", () => probes.stopIntake());
    await probes.listen();
    probes.started();
  },
});
