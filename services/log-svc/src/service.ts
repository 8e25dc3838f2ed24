/** The log store with its parts wired: intake, projection, retention, HTTP. Started by `main.ts` and by tests. */
import { CONSUMERS, STREAMS } from "@aiep/contracts";
import type { ObjectStore } from "@aiep/objects";
import {
  type Bus,
  createDeadLetters,
  createHttpServer,
  type DirectorySource,
  type Failpoints,
  type HttpServer,
  type Logger,
  readOpenApi,
  type Scope,
  type SqlPool,
  type Telemetry,
  type TokenVerifier,
  type UnsafeSwitches,
  verifyTopology,
} from "@aiep/service-kit";
import { registerLogRoutes } from "./api/routes.ts";
import type { IngestLimits } from "./ingest/flush-schedule.ts";
import { LogIngest } from "./ingest/ingest.ts";
import { LiveTail } from "./ingest/live-tail.ts";
import { createTaskProjection } from "./messaging/task-projection.ts";
import { createLogMetrics, observeIngest } from "./metrics.ts";
import { LogIndex } from "./store/log-index.ts";
import { runRetention } from "./store/retention.ts";
import { TaskStore } from "./store/task-facts.ts";

export interface LogServiceDeps {
  readonly bus: Bus;
  readonly pool: SqlPool;
  readonly objects: ObjectStore;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  readonly tokens: TokenVerifier;
  readonly directory: DirectorySource;
  readonly failpoints: Failpoints;
  /** Negative controls, in tests alone. */
  readonly unsafe?: UnsafeSwitches;
  readonly env: string;
  readonly http: { readonly host: string; readonly port: number; readonly probePort: number };
  readonly version: { readonly version: string; readonly gitCommit?: string };
  readonly keepMs: number;
  readonly retentionEveryMs?: number;
  readonly closingMs?: number;
  readonly limits?: Partial<IngestLimits>;
}

const SERVICE = "log-svc";
const CLOSING_MS = 10_000;
const RETENTION_EVERY_MS = 10 * 60_000;

export async function startLogService(
  deps: LogServiceDeps,
  scope: Scope,
): Promise<{ http: HttpServer; url: string; ingest: LogIngest }> {
  const { bus, pool, objects, log, telemetry, env, failpoints } = deps;
  await verifyTopology(bus, {
    streams: [STREAMS.TASK, STREAMS.LOG, STREAMS.DLQ],
    consumers: [CONSUMERS.logTasks, CONSUMERS.logBatches],
  });
  const index = new LogIndex(pool);
  const tasks = new TaskStore(pool);
  const tail = new LiveTail();
  const metrics = createLogMetrics(telemetry.meter);
  const ingest = new LogIngest({
    bus,
    index,
    objects,
    tail,
    log,
    env,
    failpoints,
    metrics,
    limits: deps.limits ?? {},
  });
  scope.defer("release", "ingest figures", observeIngest(telemetry.meter, ingest));
  const projection = createTaskProjection({
    bus,
    pool,
    log,
    telemetry,
    failpoints,
    env,
    tail,
    ...(deps.unsafe === undefined ? {} : { unsafe: deps.unsafe }),
  });

  const { host, port, probePort } = deps.http;
  const http = await createHttpServer({
    service: SERVICE,
    ...deps.version,
    host,
    port,
    probePort,
    log,
    telemetry,
    tokens: deps.tokens,
    directory: deps.directory,
    openapi: await readOpenApi(),
    checks: [
      { name: "database", check: () => pool.ping() },
      { name: "bus", check: () => assertThat(bus.status === "connected", "not connected") },
      { name: "log intake", check: () => assertThat(ingest.healthy, "log batches cannot be stored") },
      { name: "task projection", check: () => assertThat(projection.healthy, "task events are not applied") },
    ],
  });
  scope.use("http", http);
  const deadLetters = createDeadLetters({ bus, service: SERVICE, env, consumers: [projection, ingest] });
  const closingMs = deps.closingMs ?? CLOSING_MS;
  registerLogRoutes(http.app, { index, objects, tail, tasks, closingMs, deadLetters, metrics });
  const { url } = await http.listen();

  ingest.start();
  projection.start();
  const everyMs = deps.retentionEveryMs ?? RETENTION_EVERY_MS;
  const retention = runRetention({ index, objects, log, keepMs: deps.keepMs, everyMs }, scope.signal);
  scope.defer("intake", "http", () => http.stopIntake());
  scope.defer("drain", "retention", () => retention);
  scope.defer("drain", "task projection", () => projection.stop());
  scope.defer("drain", "log intake", () => ingest.stop());
  http.started();
  return { http, url, ingest };
}

function assertThat(condition: boolean, otherwise: string): void {
  if (!condition) throw new Error(otherwise);
}
