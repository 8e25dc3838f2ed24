/**
 * scheduler-bridge put together, in the order in which things depend on each other; the scope closes them in reverse.
 * Foundations (database, bus, directory) → stores and relay → scheduling and triggers → what is heard from the bus → HTTP → the
 * leader's work.
 */
import { CONSUMERS, STREAMS } from "@aiep/contracts";
import {
  createDeadLetters,
  createIdempotency,
  createLease,
  type Logger,
  openDirectory,
  openServiceBus,
  openServiceHttp,
  openServiceOutbox,
  openServiceParts,
  openServicePool,
  type Scope,
  type ServiceDeps,
  sometimes,
  verifyTopology,
} from "@aiep/service-kit";
import { registerApi } from "./api/api.ts";
import type { BridgeConfig } from "./config.ts";
import { createLeader } from "./control/leader.ts";
import { createRetention, type Keep } from "./control/retention.ts";
import { createScheduling } from "./control/scheduling.ts";
import { wakeOnSchedules } from "./messaging/schedule-wakes.ts";
import type { OperationDeps } from "./operations/deps.ts";
import { openPublishing } from "./publishing.ts";
import { createLocalScheduler } from "./schedulers/local/scheduler.ts";
import { Schedulers } from "./schedulers/registry.ts";
import type { Scheduler } from "./schedulers/scheduler.ts";
import { WtssScheduler } from "./schedulers/wtss/adapter.ts";
import { Experiments } from "./store/experiments.ts";
import { FireStore } from "./store/fire-store.ts";
import { migrate } from "./store/migrate.ts";
import { historyToGo, OldRows } from "./store/old-rows.ts";
import { openTriggers } from "./triggers.ts";

const SERVICE = "scheduler-bridge";
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const clock = () => new Date();

export async function startSchedulerBridge(config: BridgeConfig, log: Logger, scope: Scope): Promise<void> {
  const service = { service: SERVICE, config, log, scope };
  const parts = await openServiceParts(service, new URL("../package.json", import.meta.url));
  const { pool, bus, directory } = await openFoundations(config, service);
  const commits = openServiceOutbox(service, parts, {
    pool,
    bus,
    keep: {
      olderThanMs: config.AIEP_HISTORY_DAYS * DAY_MS,
      where: historyToGo(keepOf(config)),
    },
  });
  const operations: OperationDeps = {
    experiments: new Experiments(pool),
    fires: new FireStore({ pool, commits, address: config.address }),
    directory,
    clock,
    timeZone: config.AIEP_TIME_ZONE,
    consoleUrl: config.AIEP_CONSOLE_URL,
    triggerUrl: config.AIEP_TRIGGER_URL,
  };

  const { experiments, fires } = operations;
  const address = config.address;
  const common = { pool, commits, address, fires, experiments, clock, ...parts.shared };
  const scheduling = createScheduling(common);
  const schedulers = new Schedulers([createLocalScheduler(scheduling.localSchedules), ...wtssOf(config)]);
  const publishing = openPublishing({
    ...common,
    bus,
    operations,
    schedulers,
    lookAgainMs: config.AIEP_SCHEDULE_LOOK_SECONDS * 1000,
  });
  scope.defer("release", "changes of publications", () => publishing[Symbol.dispose]());
  const wakes = wakeOnSchedules(bus, config.AIEP_ENV, () => scheduling.planner.wake());
  scope.defer("release", "changes of schedules", () => wakes[Symbol.dispose]());
  const triggers = openTriggers({
    ...common,
    bus,
    operations,
    firing: scheduling.firing,
    scheduler: (kind) => schedulers.get(kind),
    leaseMs: config.AIEP_TRIGGER_LEASE_SECONDS * 1000,
  });
  scope.defer("release", "news of fires", () => triggers[Symbol.dispose]());

  const http = await openServiceHttp(service, parts, { pool, bus, directory });
  const idempotency = createIdempotency({ pool });
  const keepAnswersMs = config.AIEP_IDEMPOTENCY_HOURS * HOUR_MS;
  const purge = { what: "purge of old answers", everyMs: MINUTE_MS, log };
  scope.defer(
    "release",
    purge.what,
    sometimes(async () => await idempotency.purge(keepAnswersMs), purge),
  );
  const consumers = [publishing.consumer, ...triggers.consumers];
  registerApi(http.app, {
    ...publishing.operations,
    ...triggers.operations,
    ...scheduling,
    idempotency,
    deadLetters: createDeadLetters({ bus, service: SERVICE, env: config.AIEP_ENV, consumers }),
  });
  const retention = createRetention({ rows: new OldRows(pool), keep: keepOf(config), clock, log });
  const leader = createLeader({
    lease: createLease({ pool, name: "leader", log }),
    jobs: [scheduling.planner, publishing.publisher, triggers.leaseWatch, retention],
    log,
  });

  scope.defer("intake", "http", () => http.stopIntake());
  for (const consumer of consumers)
    scope.defer("intake", consumer.definition.durable, async () => await consumer.stop());
  scope.defer("drain", "leader", async () => await leader.stop());
  scope.defer("drain", "http", async () => await http.close());
  for (const consumer of consumers) consumer.start();
  leader.start();
  const { url, probeUrl } = await http.listen();
  scope.defer("intake", "presence", triggers.present());
  http.started();
  log.info({ url, probe_url: probeUrl }, "scheduler-bridge listens");
}

function keepOf(config: BridgeConfig): Keep {
  const { AIEP_FIRE_KEEP_DAYS: fireDays } = config;
  return {
    fireMs: fireDays === 0 ? null : fireDays * DAY_MS,
    deliveryMs: config.AIEP_DELIVERY_DAYS * DAY_MS,
    historyMs: config.AIEP_HISTORY_DAYS * DAY_MS,
  };
}

/** The WTSS of this installation, where it has one. */
function wtssOf(config: BridgeConfig): readonly Scheduler[] {
  const { wtss } = config;
  if (wtss === undefined) return [];
  const settings = {
    ...wtss,
    triggerBaseUrl: config.AIEP_TRIGGER_URL,
    consoleBaseUrl: config.AIEP_CONSOLE_URL,
    timeZone: config.AIEP_WTSS_TIME_ZONE ?? config.AIEP_TIME_ZONE,
  };
  return [new WtssScheduler({ settings, now: clock })];
}

/** What lies outside this process, each opened here and closed by the scope. */
async function openFoundations(config: BridgeConfig, service: ServiceDeps) {
  const { log, scope } = service;
  const pool = openServicePool(service);
  const ran = await migrate(config.AIEP_DATABASE_URL, pool);
  if (ran.length > 0) log.info({ migrations: ran }, "database migrated");
  const bus = await openServiceBus(service);
  await verifyTopology(bus, {
    streams: [STREAMS.SCHEDULE, STREAMS.WORKFLOW, STREAMS.TASK, STREAMS.CMD, STREAMS.DLQ],
    consumers: [
      CONSUMERS.scheduleCommands,
      CONSUMERS.scheduleRuns,
      CONSUMERS.scheduleTasks,
      CONSUMERS.scheduleEvents,
      CONSUMERS.scheduleDeadStarts,
    ],
  });
  const directory = scope.use("directory", await openDirectory(config.AIEP_DIRECTORY_FILE, log));
  return { pool, bus, directory };
}
