/** What every service opens first, and the HTTP side it opens last, from the settings that all of them know. */

import { createTokenVerifier } from "../auth/token-verifier.ts";
import type { BusOptions } from "../bus/bus.ts";
import { type Bus, connectBus } from "../bus/bus.ts";
import { readVersion } from "../config/version.ts";
import type { DirectorySource } from "../directory/directory-source.ts";
import { createFailpoints, type Failpoints } from "../failpoints/failpoints.ts";
import type { UnsafeSwitches } from "../failpoints/unsafe.ts";
import { readOpenApi } from "../http/openapi.ts";
import type { ReadinessCheck } from "../http/probes.ts";
import { busCheck } from "../http/probes.ts";
import { createHttpServer, type HttpServer } from "../http/server.ts";
import type { Logger } from "../logging/logger.ts";
import { createOutboxRelay, type OutboxRelayDeps } from "../outbox/relay.ts";
import { observeCommits } from "../sql/commit-metrics.ts";
import { CommitQueue } from "../sql/commit-queue.ts";
import { createSqlPool, type SqlPool } from "../sql/pool.ts";
import { startTelemetry, type Telemetry } from "../telemetry/telemetry.ts";
import type { Scope } from "./run-service.ts";

/** The part of `serviceEnvironment` that is read here. */
export interface ServiceSettings {
  readonly AIEP_HTTP_HOST: string;
  readonly AIEP_HTTP_PORT: number;
  readonly AIEP_METRICS_PORT: number;
  readonly AIEP_NATS_URL: string;
  readonly AIEP_NATS_USER?: string | undefined;
  readonly AIEP_NATS_PASSWORD?: string | undefined;
  readonly AIEP_DATABASE_URL: string;
  readonly AIEP_JWKS: string;
  readonly AIEP_GIT_COMMIT?: string | undefined;
  readonly AIEP_FAILPOINTS?: string | undefined;
  readonly AIEP_FAILPOINT_LOG?: string | undefined;
  readonly OTEL_EXPORTER_OTLP_ENDPOINT?: string | undefined;
  readonly unsafe: UnsafeSwitches;
}

export interface ServiceDeps {
  readonly service: string;
  readonly config: ServiceSettings;
  readonly log: Logger;
  readonly scope: Scope;
}

/** What goes to almost every part of a service. */
export interface SharedParts {
  readonly log: Logger;
  readonly telemetry: Telemetry;
  readonly failpoints: Failpoints;
  readonly unsafe: UnsafeSwitches;
}

export interface ServiceParts {
  readonly version: string;
  readonly shared: SharedParts;
}

/** `packageJson`: whose version is told. */
export async function openServiceParts(
  { service, config, log, scope }: ServiceDeps,
  packageJson: URL,
): Promise<ServiceParts> {
  const version = await readVersion(packageJson);
  const telemetry = await startTelemetry({
    service,
    version,
    otlpEndpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT,
  });
  scope.defer("release", "telemetry", async () => await telemetry.shutdown());
  const failpoints = createFailpoints({
    spec: config.AIEP_FAILPOINTS,
    logFile: config.AIEP_FAILPOINT_LOG,
    log,
  });
  return { version, shared: { log, telemetry, failpoints, unsafe: config.unsafe } };
}

export function openServicePool({ config, scope }: ServiceDeps): SqlPool {
  return scope.use("database", createSqlPool({ url: config.AIEP_DATABASE_URL }));
}

/** `name`: of the connection, default the service's. */
export async function openServiceBus(
  { service, config, log, scope }: ServiceDeps,
  options: Partial<Pick<BusOptions, "name">> = {},
): Promise<Bus> {
  const { AIEP_NATS_URL: url, AIEP_NATS_USER: user, AIEP_NATS_PASSWORD: password } = config;
  return scope.use("bus", await connectBus({ url, user, password, name: service, log, ...options }));
}

/** Listens when its `listen()` is called. `checks`: of readiness, beside database and bus. */
export async function openServiceHttp(
  { service, config, log, scope }: ServiceDeps,
  { version, shared }: ServiceParts,
  given: {
    readonly pool: SqlPool;
    readonly bus: Bus;
    readonly directory: DirectorySource;
    readonly checks?: readonly ReadinessCheck[];
  },
): Promise<HttpServer> {
  const { pool, bus, directory, checks = [] } = given;
  return scope.use(
    "http",
    await createHttpServer({
      service,
      version,
      ...(config.AIEP_GIT_COMMIT === undefined ? {} : { gitCommit: config.AIEP_GIT_COMMIT }),
      host: config.AIEP_HTTP_HOST,
      port: config.AIEP_HTTP_PORT,
      probePort: config.AIEP_METRICS_PORT,
      log,
      telemetry: shared.telemetry,
      tokens: await createTokenVerifier({ jwks: config.AIEP_JWKS, log }),
      directory,
      checks: [{ name: "database", check: async () => await pool.ping() }, busCheck(bus), ...checks],
      openapi: await readOpenApi(),
    }),
  );
}

/** The commit queue, and the relay that every commit wakes. `keep`: which published rows go, and when. */
export function openServiceOutbox(
  { service, scope }: ServiceDeps,
  { shared }: ServiceParts,
  given: { readonly pool: SqlPool; readonly bus: Bus; readonly keep: OutboxRelayDeps["purge"] },
): CommitQueue {
  const { pool, bus, keep } = given;
  const relay = createOutboxRelay({
    service,
    pool,
    bus,
    ...(keep === undefined ? {} : { purge: keep }),
    ...shared,
  });
  scope.defer("release", "relay", async () => await relay.stop());
  const commits = new CommitQueue({ pool, onCommitted: (written) => relay.wake(written) });
  scope.defer("release", "commits", async () => await commits.close());
  observeCommits(shared.telemetry.meter, commits);
  relay.start();
  return commits;
}
