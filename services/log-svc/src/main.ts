/** log-svc: the log store and its API (D17–D19). */
import { hostname } from "node:os";
import { openObjectStore } from "@aiep/objects";
import {
  configOrExit,
  connectBus,
  createFailpoints,
  createLogger,
  createSqlPool,
  createTokenVerifier,
  openDirectory,
  readVersion,
  runService,
  startTelemetry,
} from "@aiep/service-kit";
import { loadStoreConfig } from "./config.ts";
import { startLogService } from "./service.ts";
import { migrate } from "./store/migrate.ts";

const config = configOrExit(loadStoreConfig, process.env);
const log = createLogger({ service: "log-svc", level: config.AIEP_LOG_LEVEL });
const version = await readVersion(new URL("../package.json", import.meta.url));

await runService({
  name: "log-svc",
  log,
  async start(scope) {
    const telemetry = await startTelemetry({
      service: "log-svc",
      version,
      otlpEndpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT,
    });
    scope.defer("release", "telemetry", () => telemetry.shutdown());
    const pool = scope.use("database", createSqlPool({ url: config.AIEP_DATABASE_URL }));
    await migrate(config.AIEP_DATABASE_URL, pool);
    const objects = scope.use("objects", await openObjectStore(config.location));
    const directory = scope.use("directory", await openDirectory(config.AIEP_DIRECTORY_FILE, log));
    const bus = scope.use(
      "bus",
      await connectBus({
        url: config.AIEP_NATS_URL,
        user: config.AIEP_NATS_USER,
        password: config.AIEP_NATS_PASSWORD,
        name: `log-svc@${hostname()}`,
        log,
      }),
    );
    const service = await startLogService(
      {
        bus,
        pool,
        objects,
        log,
        telemetry,
        tokens: await createTokenVerifier({ jwks: config.AIEP_JWKS, log }),
        directory,
        failpoints: createFailpoints({
          spec: config.AIEP_FAILPOINTS,
          logFile: config.AIEP_FAILPOINT_LOG,
          log,
        }),
        unsafe: config.unsafe,
        env: config.AIEP_ENV,
        http: {
          host: config.AIEP_HTTP_HOST,
          port: config.AIEP_HTTP_PORT,
          probePort: config.AIEP_METRICS_PORT,
        },
        version: {
          version,
          ...(config.AIEP_GIT_COMMIT === undefined ? {} : { gitCommit: config.AIEP_GIT_COMMIT }),
        },
        keepMs: config.keepMs,
      },
      scope,
    );
    log.info({ url: service.url, store: config.location.kind }, "log-svc is ready");
  },
});
