/** What the integration tests share: real nats-server and database, a pods folder, the agent and the store in process. */
import { randomBytes } from "node:crypto";
import { appendFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CONSUMERS,
  type GroupId,
  groupId,
  hexId,
  LOG_COMPLETE_FILE,
  type LogItem,
  MAIN_CONTAINER,
  type NodeName,
  nodeName,
  POD_FILE,
  podFolder,
  STREAMS,
  type TaskId,
  taskId,
} from "@aiep/contracts";
import { type NatsServer, startNats, testDatabase } from "@aiep/dev-servers";
import { type ObjectStore, openDirectoryStore } from "@aiep/objects";
import {
  applyTopology,
  type Bus,
  connectBus,
  createLogger,
  createSqlPool,
  type SqlPool,
} from "@aiep/service-kit";
import { LogAgent, type LogAgentDeps } from "../agent/agent.ts";
import { type IngestDeps, LogIngest } from "../ingest/ingest.ts";
import { LiveTail } from "../ingest/live-tail.ts";
import { type LogFilter, LogReader } from "../reading/log-reader.ts";
import { LogIndex } from "../store/log-index.ts";
import { migrate } from "../store/migrate.ts";
import { TaskStore } from "../store/task-facts.ts";

const ENV = "test";
export const GROUP = groupId.parse("g1");
export const EVERYTHING: LogFilter = {
  nodes: undefined,
  since: undefined,
  until: undefined,
  text: undefined,
};
export const log = createLogger({
  service: "log-svc-test",
  level: process.env["AIEP_TEST_LOG"] === "1" ? "debug" : "silent",
});

/** Short, so that a crashed store's messages come again while a test can wait for them. */
export const logBatches = { ...CONSUMERS.logBatches, ackWaitSeconds: 2 };

export interface LogStack extends AsyncDisposable {
  readonly nats: NatsServer;
  readonly bus: Bus;
  readonly pool: SqlPool;
  readonly index: LogIndex;
  readonly tasks: TaskStore;
  readonly objects: ObjectStore;
  readonly dir: string;
  readonly podsDir: string;
  startStore(options?: Partial<IngestDeps>): Store;
  startAgent(options?: Partial<LogAgentDeps>): Promise<LogAgent>;
  connect(name: string): Promise<Bus>;
}

export interface Store extends AsyncDisposable {
  readonly ingest: LogIngest;
  readonly tail: LiveTail;
  /** Whole log, as a reader gets it. */
  read(task: TaskId, filter?: LogFilter): Promise<LogItem[]>;
}

export async function applyLogTopology(bus: Bus): Promise<void> {
  await applyTopology(bus, {
    streams: [STREAMS.LOG, STREAMS.TASK, STREAMS.DLQ],
    consumers: [logBatches, CONSUMERS.logTasks],
  });
}

export async function startLogStack(options: { objects?: ObjectStore } = {}): Promise<LogStack> {
  await using opening = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "aiep-log-svc-"));
  opening.defer(() => rm(dir, { recursive: true, force: true }));
  const nats = opening.use(await startNats());
  const database = opening.use(await testDatabase());
  const pool = opening.use(createSqlPool({ url: database.url }));
  await migrate(database.url, pool);
  const connect = async (name: string): Promise<Bus> => await connectBus({ url: nats.url, name, log });
  const bus = opening.use(await connect("test"));
  await applyLogTopology(bus);
  const objects = opening.use(options.objects ?? (await openDirectoryStore(join(dir, "objects"))));
  const index = new LogIndex(pool);
  const podsDir = join(dir, "pods");
  await mkdir(podsDir);
  const opened = opening.move();
  return {
    nats,
    bus,
    pool,
    index,
    objects,
    dir,
    podsDir,
    connect,
    tasks: new TaskStore(pool),
    startStore(deps = {}) {
      const tail = new LiveTail();
      const ingest = new LogIngest({
        bus,
        index,
        objects,
        tail,
        log,
        env: ENV,
        consumer: logBatches,
        ...deps,
      });
      ingest.start();
      return {
        ingest,
        tail,
        read: (task, filter = EVERYTHING) => readEverything({ index, objects, tail }, task, filter),
        [Symbol.asyncDispose]: () => ingest.stop(),
      };
    },
    startAgent: (deps = {}) =>
      LogAgent.start({
        bus,
        log,
        env: ENV,
        podsDir,
        checkpointFile: join(dir, "agent", "checkpoint.json"),
        lookMs: 200,
        ...deps,
      }),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

export async function readEverything(
  deps: { index: LogIndex; objects: ObjectStore; tail: LiveTail },
  task: TaskId,
  filter: LogFilter,
): Promise<LogItem[]> {
  const reader = new LogReader(deps, task, filter, new Map());
  await reader.refresh();
  const items: LogItem[] = [];
  for await (const block of reader.entries())
    for (const entry of block) if (reader.take(entry)) items.push(entry.item);
  return items;
}

export const newTaskId = (): TaskId => taskId.parse(hexId(randomBytes(16)));
export const node = (name: string): NodeName => nodeName.parse(name);
export const textsOf = (items: readonly LogItem[]): string[] =>
  items.map((item) => (item.kind === "line" ? item.text : `(${item.reason} ${item.missing_bytes})`));

/** A pod's log folder as a runtime makes it. */
export class TestPod {
  readonly folder: string;
  readonly uid: string;
  readonly container: string;
  #clock = Date.UTC(2026, 10, 21, 10);

  constructor(at: { readonly podsDir: string; readonly uid: string }) {
    this.uid = at.uid;
    this.folder = join(at.podsDir, podFolder({ namespace: "ns", pod: `pod-${at.uid}`, uid: at.uid }));
    this.container = join(this.folder, MAIN_CONTAINER);
  }

  static async create(at: {
    podsDir: string;
    task: TaskId;
    node: NodeName;
    group?: GroupId;
    attempt?: number;
  }): Promise<TestPod> {
    const attempt = at.attempt ?? 1;
    const pod = new TestPod({ podsDir: at.podsDir, uid: `${at.task}-${attempt}-${at.node}` });
    await mkdir(pod.container, { recursive: true });
    const file = { task_id: at.task, group_id: at.group ?? GROUP, node: at.node, attempt, pod_uid: pod.uid };
    await writeFile(join(pod.folder, POD_FILE), JSON.stringify(file));
    return pod;
  }

  /** Whole CRI lines, a millisecond apart. */
  cri(lines: readonly string[], stream = "stdout"): string {
    return lines.map((line) => `${this.#now()} ${stream} F ${line}\n`).join("");
  }

  async write(lines: readonly string[], file = "0.log"): Promise<void> {
    await appendFile(join(this.container, file), this.cri(lines));
  }

  async writeRaw(bytes: string | Uint8Array, file = "0.log"): Promise<void> {
    await appendFile(join(this.container, file), bytes);
  }

  async complete(): Promise<void> {
    await writeFile(join(this.folder, LOG_COMPLETE_FILE), "");
  }

  #now(): string {
    this.#clock += 1;
    return new Date(this.#clock).toISOString().replace("Z", "000000Z");
  }
}
