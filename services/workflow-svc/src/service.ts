/**
 * workflow-svc put together, in the order in which things depend on each other; the scope closes them in reverse.
 * Foundations (database, bus, directory) → stores and relay → node kinds and engine → commands and task events → HTTP.
 */
import { CONSUMERS, type RunId, STREAMS, startRun, TASK_EVENTS, WORKFLOW_COMMANDS } from "@aiep/contracts";
import {
  changesOnBus,
  createCommandConsumer,
  createDeadLetters,
  createIdempotency,
  createNoticeConsumer,
  type Idempotency,
  type Logger,
  openDirectory,
  openServiceBus,
  openServiceHttp,
  openServiceOutbox,
  openServiceParts,
  openServicePool,
  type Scope,
  type ServiceDeps,
  type ServiceParts,
  type SharedParts,
  type SqlPool,
  sometimes,
  sql,
  verifyTopology,
} from "@aiep/service-kit";
import { registerApi } from "./api/api.ts";
import { openComponents } from "./components/open-components.ts";
import type { ComponentRegistry } from "./components/registry.ts";
import { readComponentSettings } from "./components/settings.ts";
import type { WorkflowConfig } from "./config.ts";
import { createEngine, type Engine } from "./control/engine.ts";
import { keepRunsTidy } from "./control/run-retention.ts";
import { createCommandHandler } from "./messaging/command-handler.ts";
import { createTaskEventHandler } from "./messaging/task-events.ts";
import { openWakes } from "./messaging/wakes.ts";
import { bundleKeysOf } from "./operations/bundle-keys.ts";
import { createChildRuns } from "./operations/child-runs.ts";
import type { OperationDeps } from "./operations/deps.ts";
import { migrate } from "./store/migrate.ts";
import { purgeCache } from "./store/node-cache.ts";
import { createOwnedRuns } from "./store/owned-runs.ts";
import { createRunRemoval, type RunRemoval } from "./store/run-removal.ts";
import { createExperimentStore } from "./store/sql-experiment-store.ts";
import { createRunStore } from "./store/sql-run-store.ts";
import { removeUnusedDefinitions } from "./store/unused-definitions.ts";

const SERVICE = "workflow-svc";
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const clock = () => new Date();

export async function startWorkflowService(config: WorkflowConfig, log: Logger, scope: Scope): Promise<void> {
  const service = { service: SERVICE, config, log, scope };
  const parts = await openServiceParts(service, new URL("../package.json", import.meta.url));
  const { shared } = parts;

  const foundations = await openFoundations(config, service);
  const { pool, bus, directory } = foundations;
  const stores = openStores(config, foundations, service, parts);
  const settings = await readComponentSettings(config);
  const { registry } = scope.use("node kinds", openComponents(settings, { directory, now: Date.now }));
  const { engine, operations } = openWork(config, foundations, { ...stores, registry }, shared, scope);

  const commands = createCommandConsumer({
    bus,
    consumer: CONSUMERS.workflowCommands,
    pool,
    env: config.AIEP_ENV,
    definitions: WORKFLOW_COMMANDS,
    joined: [startRun],
    handler: createCommandHandler({ operations, commits: stores.commits, address: config.address }),
    ...shared,
  });
  const taskEvents = createNoticeConsumer({
    bus,
    consumer: CONSUMERS.workflowTasks,
    pool,
    env: config.AIEP_ENV,
    definitions: TASK_EVENTS,
    handler: createTaskEventHandler(async (id, notice) => await engine.notice(id, notice)),
    ...shared,
  });

  const http = await openServiceHttp(service, parts, { pool, bus, directory });
  const idempotency = createIdempotency({ pool });
  keepHouse(config, { pool, idempotency, removal: stores.removal }, log, scope);
  registerApi(http.app, {
    ...operations,
    idempotency,
    deadLetters: createDeadLetters({
      bus,
      service: SERVICE,
      env: config.AIEP_ENV,
      consumers: [commands, taskEvents],
    }),
  });

  scope.defer("intake", "http", () => http.stopIntake());
  scope.defer("intake", "commands", async () => await commands.stop());
  scope.defer("intake", "task events", async () => await taskEvents.stop());
  scope.defer("drain", "engine", async () => await engine.stop());
  scope.defer("drain", "http", async () => await http.close());
  engine.start();
  commands.start();
  taskEvents.start();
  const { url, probeUrl } = await http.listen();
  http.started();
  log.info({ url, probe_url: probeUrl }, "workflow-svc listens");
}

/** What is kept for a while only. */
function keepHouse(
  config: WorkflowConfig,
  { pool, idempotency, removal }: { pool: SqlPool; idempotency: Idempotency; removal: RunRemoval },
  log: Logger,
  scope: Scope,
): void {
  const keepAnswersMs = config.AIEP_IDEMPOTENCY_HOURS * HOUR_MS;
  // Every replica may do it: removing twice removes once.
  const purge = async (): Promise<void> => {
    await idempotency.purge(keepAnswersMs);
    await purgeCache(pool);
    await removeUnusedDefinitions(pool);
  };
  const house = {
    what: "purge of old answers, cached results and definitions nobody names",
    everyMs: MINUTE_MS,
    log,
  };
  scope.defer("release", house.what, sometimes(purge, house));

  const keepDays = config.AIEP_RUN_KEEP_DAYS;
  const retention = {
    pool,
    removal,
    keepMs: keepDays === 0 ? null : keepDays * DAY_MS,
    historyMs: config.AIEP_HISTORY_DAYS * DAY_MS,
    clock,
    log,
  };
  scope.defer("release", "removal of old runs", keepRunsTidy(retention));
}

/** What lies outside this process, each opened here and closed by the scope. */
async function openFoundations(config: WorkflowConfig, service: ServiceDeps) {
  const { log, scope } = service;
  const pool = openServicePool(service);
  const ran = await migrate(config.AIEP_DATABASE_URL, pool);
  if (ran.length > 0) log.info({ migrations: ran }, "database migrated");
  const bus = await openServiceBus(service);
  await verifyTopology(bus, {
    streams: [STREAMS.WORKFLOW, STREAMS.TASK, STREAMS.CMD, STREAMS.DLQ],
    consumers: [CONSUMERS.workflowCommands, CONSUMERS.workflowTasks],
  });
  const directory = scope.use("directory", await openDirectory(config.AIEP_DIRECTORY_FILE, log));
  return { pool, bus, directory };
}

type Foundations = Awaited<ReturnType<typeof openFoundations>>;
/** The stores; the relay is told of their commits. */
function openStores(
  config: WorkflowConfig,
  { pool, bus }: Foundations,
  service: ServiceDeps,
  parts: ServiceParts,
) {
  const commits = openServiceOutbox(service, parts, {
    pool,
    bus,
    keep: {
      olderThanMs: config.AIEP_HISTORY_DAYS * DAY_MS,
      // Events are the history of their run or experiment for as long as it can be read; a run's go with it (run-removal.ts).
      where: sql("aggregate_type NOT IN ('run', 'experiment')"),
    },
  });
  const deps = { pool, commits, address: config.address };
  return {
    commits,
    runs: createRunStore(deps),
    owned: createOwnedRuns(deps),
    removal: createRunRemoval({ ...deps, failpoints: parts.shared.failpoints }),
    experiments: createExperimentStore(deps),
  };
}

/** The engine, and the use cases that HTTP, commands and child runs share. */
function openWork(
  config: WorkflowConfig,
  { pool, bus, directory }: Foundations,
  stores: ReturnType<typeof openStores> & { readonly registry: ComponentRegistry },
  shared: SharedParts,
  scope: Scope,
): { readonly engine: Engine; readonly operations: OperationDeps } {
  const { runs, owned, removal, experiments, registry } = stores;
  const pools = (name: string) => config.pools.get(name);
  const wakes = openWakes(bus, config.AIEP_ENV, (wake) => engine.wake(wake));
  const engine: Engine = createEngine({
    pool,
    store: runs,
    owned,
    registry,
    children: createChildRuns(() => operations),
    pools,
    committed: () => {},
    wakeOthers: (wake) => wakes.send(wake),
    timeZone: config.AIEP_TIME_ZONE,
    leaseMs: config.AIEP_WORKFLOW_LEASE_SECONDS * 1000,
    polls: config.AIEP_WORKFLOW_POLLS,
    ...shared,
  });
  scope.defer("release", "wakes", () => wakes[Symbol.dispose]());
  const changes = changesOnBus<RunId>(bus, { env: config.AIEP_ENV, context: "workflow" });
  scope.defer("release", "changes", () => changes[Symbol.dispose]());
  const operations: OperationDeps = {
    experiments,
    runs,
    removal,
    control: engine.control,
    registry,
    directory,
    changes,
    clock,
    timeZone: config.AIEP_TIME_ZONE,
    pools,
    environment: config.AIEP_ENV,
    bundleKeys: bundleKeysOf(config.AIEP_BUNDLE_KEY, config.AIEP_BUNDLE_TRUSTED_KEYS),
    runnerImage: config.AIEP_RUNNER_IMAGE,
  };
  return { engine, operations };
}
