/**
 * What every service does the same way.
 * async · config · logging · telemetry · sql (pool, commit queue, lease) · outbox · bus · inbox · auth · directory · http ·
 * lifecycle · failpoints
 */

export { zipTextFiles } from "./archive/zip-text-files.ts";
export { type BackoffOptions, backoffMs } from "./async/backoff.ts";
export { createLimiter, type Limiter } from "./async/limiter.ts";
export { type SometimesOptions, sometimes } from "./async/sometimes.ts";
export { pause, WakeUp, within } from "./async/wait.ts";
export {
  type Candidate,
  findVisible,
  groupForNew,
  type PrefixLookup,
  requireMember,
  seesGroup,
  type VisibleGroups,
  visibleGroups,
} from "./auth/access.ts";
export { type Principal, principalOf } from "./auth/principal.ts";
export {
  createTokenVerifier,
  type TokenVerifier,
  type TokenVerifierOptions,
  type VerifiedToken,
} from "./auth/token-verifier.ts";
export { type Bus, type BusOptions, type BusStatus, connectBus } from "./bus/bus.ts";
export { type Capabilities, capabilitiesOf } from "./bus/capabilities.ts";
export {
  createDeadLetters,
  type DeadLetterPage,
  type DeadLetters,
  type DeadLettersDeps,
} from "./bus/dead-letters.ts";
export { inboxPrefix, type NatsPermissions, type NatsRole, natsPermissions } from "./bus/permissions.ts";
export {
  type BusMessage,
  commandMessage,
  type NewCommand,
  type PublishResult,
  publishMessage,
} from "./bus/publish.ts";
export { applyTopology, type Topology, type TopologyChange, verifyTopology } from "./bus/topology.ts";
export { configOrExit, type Environment, loadConfig } from "./config/load-config.ts";
export { LOG_LEVELS, serviceEnvironment } from "./config/service-environment.ts";
export { readVersion } from "./config/version.ts";
export { DirectoryIndex, type Membership } from "./directory/directory-index.ts";
export { type DirectorySource, fixedDirectory, openDirectory } from "./directory/directory-source.ts";
export { createFailpoints, type Failpoints, NO_FAILPOINTS } from "./failpoints/failpoints.ts";
export { ALL_SAFE, type UnsafeSwitch, type UnsafeSwitches, unsafeSwitches } from "./failpoints/unsafe.ts";
export { type BusChanges, type BusNews, changesOnBus, newsOnBus } from "./history/bus-changes.ts";
export { type FollowedHistory, followHistory } from "./history/follow.ts";
export { type Changes, type Watch, watchChanges } from "./history/watch.ts";
export { type CreateOnceDeps, createOnce } from "./http/create-once.ts";
export { etag, notModified, parseIfMatch, requireMatch } from "./http/etag.ts";
export {
  createIdempotency,
  fingerprintOf,
  type Idempotency,
  type IdempotencyRequest,
  type IdempotentAnswer,
  type StoredAnswer,
} from "./http/idempotency.ts";
export { readOpenApi } from "./http/openapi.ts";
export { decodeCursor, type PageQuery, pageOf } from "./http/page-cursor.ts";
export { busCheck, createProbes, type Probes, type ProbesDeps, type ReadinessCheck } from "./http/probes.ts";
export {
  type JsonAnswer,
  type RouteAnswer,
  type RouteHandler,
  type RouteOptions,
  type RouteRequest,
  registerRoute,
} from "./http/route.ts";
export {
  createHttpServer,
  type HttpLimits,
  type HttpServer,
  type HttpServerDeps,
} from "./http/server.ts";
export { type SseEvent, type SseOptions, type SseStream, sse } from "./http/sse.ts";
export { answerCommands, contextOfCommand, mayBeRepeated } from "./inbox/answer-commands.ts";
export {
  type CommandConsumerDeps,
  type CommandMessage,
  type Consumer,
  createCommandConsumer,
  createEventConsumer,
  createNoticeConsumer,
  type Effects,
  type EventConsumerDeps,
  type EventMessage,
  type NoticeConsumerDeps,
  type StoredMessage,
} from "./inbox/consumer.ts";
export { type DeadMessage, writeDeadLetter } from "./inbox/dead-letter.ts";
export {
  createDeadLetterConsumer,
  type DeadLetter,
  type DeadLetterConsumerDeps,
} from "./inbox/dead-letter-consumer.ts";
export {
  type RunServiceOptions,
  runService,
  type Scope,
  type ShutdownPhase,
} from "./lifecycle/run-service.ts";
export {
  openServiceBus,
  openServiceHttp,
  openServiceOutbox,
  openServiceParts,
  openServicePool,
  type ServiceDeps,
  type ServiceParts,
  type SharedParts,
} from "./lifecycle/service-parts.ts";
export { createLogger, type Logger, type LoggerOptions, type LogLevel } from "./logging/logger.ts";
export {
  CONSUMER_VERSIONS_DDL,
  IDEMPOTENCY_DDL,
  INBOX_DDL,
  LEASE_DDL,
  OUTBOX_DDL,
  RELAY_STATE_DDL,
  SERVICE_KIT_DDL,
} from "./outbox/ddl.ts";
export { HISTORY_COLUMNS, type HistoryRow, historyEntryOf } from "./outbox/history.ts";
export type { RelayLag } from "./outbox/outbox-store.ts";
export {
  type NewOutboxCommand,
  type NewOutboxRecord,
  newOutboxCommand,
  newOutboxRecord,
  OUTBOX_VERSION_KEY,
  type OutboxRecord,
  outboxInsert,
} from "./outbox/record.ts";
export {
  createOutboxRelay,
  type OutboxRelay,
  type OutboxRelayDeps,
} from "./outbox/relay.ts";
export { randomHex } from "./random.ts";
export { observeCommits } from "./sql/commit-metrics.ts";
export { CommitQueue, type CommitQueueDeps, type CommitUnit } from "./sql/commit-queue.ts";
export {
  allOf,
  compare,
  equal,
  groupsAmong,
  oneOf,
  startsWith,
} from "./sql/conditions.ts";
export { withDatabaseLock } from "./sql/database-lock.ts";
export { DuplicateKeyError, TransactionConflictError } from "./sql/errors.ts";
export { createLease, type Lease, type LeaseGrant, type LeaseOptions } from "./sql/lease.ts";
export { type ListedPage, pageOfRows, rowsByPrefix } from "./sql/lists.ts";
export { type MigrationList, migrateDatabase } from "./sql/migrate-database.ts";
export {
  createSqlPool,
  type SqlExecutor,
  type SqlPool,
  type SqlPoolOptions,
  type SqlResult,
} from "./sql/pool.ts";
export { type Columns, insertRow, updateRow } from "./sql/rows.ts";
export { format, fromJson, rowsOf, type Sql, type SqlValue, sql } from "./sql/sql.ts";
export { hasCode } from "./system-error.ts";
export { startTelemetry, type Telemetry, type TelemetryOptions } from "./telemetry/telemetry.ts";
export { currentTraceparent, runWithTraceparent, span } from "./telemetry/tracing.ts";
