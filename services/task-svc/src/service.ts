/**
 * task-svc put together, in the order in which things depend on each other; the scope closes them in reverse.
 * Foundations (database, bus, directory) → store and relay → runtime and controller → commands → HTTP.
 */
import { CONSUMERS, STREAMS, submitTask, TASK_COMMANDS } from "@aiep/contracts";
import { openObjectStore } from "@aiep/objects";
import {
  createCommandConsumer,
  createDeadLetters,
  createIdempotency,
  createLease,
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
  sometimes,
  verifyTopology,
} from "@aiep/service-kit";
import { registerApi } from "./api/api.ts";
import { createArtifactStore } from "./artifacts/artifact-store.ts";
import { adoptEarlierLayout } from "./artifacts/earlier-layout.ts";
import { openLeftRecords } from "./artifacts/left-records.ts";
import { checkArtifactStore } from "./artifacts/store-check.ts";
import { openCodePackageFiles } from "./code-packages/package-files.ts";
import type { TaskConfig } from "./config.ts";
import { createController } from "./control/controller.ts";
import { createTaskNotifier, notifyFromBus } from "./control/notifier.ts";
import { awaitsNodes, mayLeave } from "./domain/task.ts";
import { createCommandHandler } from "./messaging/command-handler.ts";
import { collectCodePackages } from "./operations/collect-code-packages.ts";
import { createRuntimeHealth } from "./operations/runtime-health.ts";
import { openRuntime } from "./runtimes/open-runtime.ts";
import { createCodePackageRows } from "./store/code-package-rows.ts";
import { createEventLog } from "./store/event-log.ts";
import { historyToGo } from "./store/history-to-go.ts";
import { migrate } from "./store/migrate.ts";
import { openOrm } from "./store/orm.ts";
import { createTaskStore } from "./store/sql-task-store.ts";

const SERVICE = "task-svc";
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const clock = () => new Date();

export async function startTaskService(config: TaskConfig, log: Logger, scope: Scope): Promise<void> {
  const service = { service: SERVICE, config, log, scope };
  const parts = await openServiceParts(service, new URL("../package.json", import.meta.url));
  const { shared } = parts;

  const foundations = await openFoundations(config, service);
  const { pool, bus, directory, packages, objects, artifacts, records } = foundations;
  const work = startWork(config, foundations, service, parts);
  const { store, notifier, commits } = work;

  const runtime = await openRuntime({
    config,
    directory,
    packages,
    artifacts,
    records,
    awaitsNodes: async ({ taskId, attempt }) => {
      const task = await store.task(taskId);
      return task !== undefined && awaitsNodes(task, attempt);
    },
    mayLeave: async ({ taskId, attempt }) => {
      const task = await store.task(taskId);
      return task !== undefined && mayLeave(task, attempt) ? task.facts.spec.io : undefined;
    },
    log,
    scope,
  });
  const controller = createController({
    store,
    runtime,
    notifier,
    lease: createLease({
      pool,
      name: `${SERVICE}:controller`,
      log,
      ttlMs: config.AIEP_CONTROL_LEASE_SECONDS * 1000,
    }),
    quotaOf: (namespace) => {
      const quota = directory.current().namespace(namespace)?.quota;
      return quota && { cpu: quota.cpu, memoryGb: quota.memory_gb, gpu: quota.gpu };
    },
    onQuotaChange: (listener) => directory.onChange(listener),
    launchConcurrency: config.AIEP_CONTROL_LAUNCHES,
    resyncMs: config.AIEP_CONTROL_RESYNC_SECONDS * 1000,
    ...shared,
  });
  const foreseeWait = controller.foreseeWait.bind(controller);
  const runtimeHealth = createRuntimeHealth({
    runtime: {
      kind: runtime.kind,
      checks: async () => [...(await runtime.checks()), await checkArtifactStore(objects)],
    },
    now: clock,
  });

  const commands = createCommandConsumer({
    bus,
    consumer: CONSUMERS.taskCommands,
    pool,
    env: config.AIEP_ENV,
    definitions: TASK_COMMANDS,
    joined: [submitTask],
    handler: createCommandHandler({
      store,
      packages,
      directory,
      commits,
      address: config.address,
      clock,
      foreseeWait,
      forgetful: config.unsafe.has("inbox"),
    }),
    ...shared,
  });

  const http = await openServiceHttp(service, parts, {
    pool,
    bus,
    directory,
    checks: [
      // Tasks are accepted and told of without it (I1): it is named, and turns nobody away.
      {
        name: "runtime",
        required: false,
        check: () => {
          const trouble = runtimeHealth.trouble();
          if (trouble !== undefined) throw new Error(trouble);
        },
      },
    ],
  });
  const idempotency = createIdempotency({ pool });
  keepHouse(config, foundations, idempotency, log, scope);
  registerApi(http.app, {
    store,
    directory,
    foreseeWait,
    runtimeHealth,
    packages,
    changes: notifier,
    events: createEventLog(pool),
    idempotency,
    deadLetters: createDeadLetters({ bus, service: SERVICE, env: config.AIEP_ENV, consumers: [commands] }),
    clock,
  });

  scope.defer("intake", "http", () => http.stopIntake());
  scope.defer("intake", "commands", async () => await commands.stop());
  scope.defer("drain", "controller", async () => await controller.stop());
  scope.defer("drain", "http", async () => await http.close());
  controller.start();
  commands.start();
  const { url, probeUrl } = await http.listen();
  http.started();
  log.info({ url, probe_url: probeUrl }, "task-svc listens");
}

/** What is kept for a while only. Every replica may do it: removing twice removes once. */
function keepHouse(
  config: TaskConfig,
  { pool, packages, artifacts, records }: Foundations,
  idempotency: Idempotency,
  log: Logger,
  scope: Scope,
): void {
  const keepAnswersMs = config.AIEP_IDEMPOTENCY_HOURS * HOUR_MS;
  const purge = async () => await idempotency.purge(keepAnswersMs);
  const answers = { what: "purge of old answers to Idempotency-Keys", everyMs: MINUTE_MS, log };
  scope.defer("release", answers.what, sometimes(purge, answers));

  const collection = {
    rows: createCodePackageRows(pool),
    files: packages,
    keepMs: config.AIEP_CODE_PACKAGE_KEEP_DAYS * DAY_MS,
    clock,
    log,
  };
  const collect = async (signal: AbortSignal) => await collectCodePackages(collection, signal);
  const keepArtifactsMs = config.AIEP_ARTIFACT_KEEP_DAYS * DAY_MS;
  const removing = { what: "removal of old directories of tasks", everyMs: HOUR_MS, log };
  const removeOld = async () => {
    await artifacts.removeOld();
    await records.removeOld(new Date(clock().getTime() - keepArtifactsMs));
  };
  scope.defer("release", removing.what, sometimes(removeOld, removing));

  const collecting = { what: "removal of unused code packages", everyMs: HOUR_MS, log };
  scope.defer("release", collecting.what, sometimes(collect, collecting));
}

/** What lies outside this process, each opened here and closed by the scope. */
async function openFoundations(config: TaskConfig, service: ServiceDeps) {
  const { log, scope } = service;
  const pool = openServicePool(service);
  const orm = await openOrm(config.AIEP_DATABASE_URL);
  scope.defer("release", "orm", async () => await orm.close());
  const ran = await migrate(orm, pool);
  if (ran.length > 0) log.info({ migrations: ran }, "database migrated");
  const bus = await openServiceBus(service);
  await verifyTopology(bus, {
    streams: [STREAMS.TASK, STREAMS.CMD, STREAMS.DLQ],
    consumers: [CONSUMERS.taskCommands],
  });
  const directory = scope.use("directory", await openDirectory(config.AIEP_DIRECTORY_FILE, log));
  const packages = await openCodePackageFiles(config.AIEP_CODE_PACKAGE_DIR, config.codePackageLimits);
  if (config.artifactStore.kind === "directory") await adoptEarlierLayout(config.artifactStore.path);
  const objects = scope.use("directories of tasks", await openObjectStore(config.artifactStore));
  const artifacts = createArtifactStore({ objects, keepMs: config.AIEP_ARTIFACT_KEEP_DAYS * DAY_MS });
  const records = await openLeftRecords({ objects, dir: config.AIEP_ARTIFACT_DIR });
  return { pool, orm, bus, directory, packages, objects, artifacts, records };
}

type Foundations = Awaited<ReturnType<typeof openFoundations>>;
/** The store, and who is told of its commits: the relay publishes, the notifier wakes (S3). */
function startWork(
  config: TaskConfig,
  { pool, orm, bus }: Foundations,
  service: ServiceDeps,
  parts: ServiceParts,
) {
  const keepMs = config.AIEP_HISTORY_DAYS * DAY_MS;
  const commits = openServiceOutbox(service, parts, {
    pool,
    bus,
    keep: { olderThanMs: keepMs, where: historyToGo(keepMs) },
  });
  const notifier = createTaskNotifier();
  service.scope.defer("release", "wakes of other replicas", notifyFromBus(bus, config.AIEP_ENV, notifier));
  const counter = parts.shared.telemetry.meter.createCounter("aiep_task_events_total", {
    description: "Events of tasks, by name",
  });
  const store = createTaskStore({
    orm,
    pool,
    commits,
    address: config.address,
    committed: (change) => {
      for (const event of change.events) counter.add(1, { event });
      notifier.changed(change);
    },
  });
  return { store, notifier, commits };
}
