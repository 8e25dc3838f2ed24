/**
 * task-svc's core on a real cluster behind a proxy of faults: controller, real database and kubernetes runtime, in a
 * namespace of their own on simulated machines, so that pods live and die in a second and no image is needed.
 *
 * What the cluster really did is read behind the proxy: its objects by an administrator, its writes from its audit log.
 */
import { randomBytes } from "node:crypto";
import { dirname, join } from "node:path";
import { AiepError, directory, type TaskId } from "@aiep/contracts";
import {
  AuditLog,
  type FaultProxy,
  findKwok,
  type KubeApi,
  openFaultProxy,
  openKubeApi,
  startSimulatedNodes,
  waitFor,
} from "@aiep/dev-servers";
import { connect } from "@aiep/kube";
import { createLease, createLogger, NO_FAILPOINTS } from "@aiep/service-kit";
import { createController } from "../../../control/controller.ts";
import { createTaskNotifier, type TaskNotifier } from "../../../control/notifier.ts";
import { createTask, requestStop } from "../../../domain/life-cycle.ts";
import type { Task } from "../../../domain/task.ts";
import { openTestStore, type StoreFixture } from "../../../testing/database.ts";
import { factsOf, newTaskId, specOf, TASK_FILE } from "../../../testing/tasks.ts";
import { KubernetesRuntime, type KubernetesRuntimeDeps } from "../kubernetes-runtime.ts";
import { workloadName } from "../names.ts";
import { NO_GRANT, NO_RECORDS } from "./workloads.ts";

const WORKLOADS = ["jobs", "pytorchjobs", "tfjobs"];
const submission = { taskConfig: TASK_FILE, setEnvs: {}, warnings: [] };
/** Sooner than in production, where a watch is given minutes. */
const WATCHING = { stallMs: 3_000, backoff: { floorMs: 100, capMs: 1_000 } };

export interface FaultsStage extends AsyncDisposable {
  readonly api: KubeApi;
  readonly proxy: FaultProxy;
  readonly namespace: string;
  submit(life: Life): Promise<TaskId>;
  stop(id: TaskId): Promise<void>;
  task(id: TaskId): Promise<Task>;
  reaches(id: TaskId, state: Task["state"], timeoutMs?: number): Promise<Task>;
  /** Ended, and nothing of it is left to do. */
  settled(ids: readonly TaskId[], timeoutMs?: number): Promise<void>;
  /** A successor of task-svc takes over; the one before is gone without a word. */
  restart(): Promise<void>;
  /** There is an audit log here. */
  readonly audited: boolean;
  /** Creations of the task's workload that the API server carried out; 0 without an audit log. */
  creations(id: TaskId): number;
  /** Objects of the namespace that are still there: jobs and pods. */
  leftovers(): Promise<string[]>;
}

export interface Life {
  /** How long the nodes run; default 1 s. */
  readonly runFor?: string;
  readonly exitCode?: number;
  readonly mode?: "Standalone" | "DDP";
}

/** The program that simulates machines; undefined where the suite cannot run. */
export const simulator = findKwok;

export async function openFaultsStage(kubeconfig: string, kwok: string): Promise<FaultsStage> {
  await using opening = new AsyncDisposableStack();
  const namespace = `aiep-faults-${randomBytes(4).toString("hex")}`;
  const api = opening.use(openKubeApi(kubeconfig));
  const nodes = opening.use(await startSimulatedNodes({ kubeconfig, kwok, count: 1 }));
  await api.create("/api/v1/namespaces", { metadata: { name: namespace } });
  opening.defer(async () => await api.remove(`/api/v1/namespaces/${namespace}`));
  const proxy = opening.use(await openFaultProxy(kubeconfig));
  let notifier: TaskNotifier | undefined;
  const store = opening.use(await openTestStore((change) => notifier?.changed(change)));
  const audit = AuditLog.fromNow(
    process.env["AIEP_CLUSTER_AUDIT_LOG"] ?? join(dirname(kubeconfig), "audit/log.jsonl"),
  );
  const document = directory.parse({
    users: [],
    groups: [],
    namespaces: [
      {
        name: namespace,
        quota: { cpu: 60, memory_gb: 200 },
        node_selector: nodes.nodeSelector,
        tolerations: nodes.tolerations,
      },
    ],
  });
  const begin = async () => {
    const begun = await startCore({ kubeconfig: proxy.kubeconfig, namespace, document, store });
    notifier = begun.notifier;
    return begun;
  };
  let core = await begin();
  opening.defer(async () => await core.close());
  const stack = opening.move();

  const task = async (id: TaskId) => {
    const found = await store.store.task(id);
    if (found === undefined) throw new Error(`no task ${id}`);
    return found;
  };
  return {
    api,
    proxy,
    namespace,
    submit: async (life) => await submit(store, namespace, life),
    stop: async (id) => await stop(store, task, id),
    task,
    reaches: async (id, state, timeoutMs = 30_000) =>
      await waitFor(
        `the task is ${state}`,
        async () => {
          const found = await task(id);
          if (found.state !== state)
            throw new Error(`it is ${found.state} ${found.reason}: ${found.message}`);
          return found;
        },
        { timeoutMs, intervalMs: 50 },
      ),
    settled: async (ids, timeoutMs = 60_000) =>
      void (await waitFor(
        "the tasks are settled",
        async () => {
          const open: string[] = [];
          for await (const each of store.store.unsettled())
            if (ids.includes(each.facts.id)) open.push(`${each.facts.id} ${each.state} ${each.message}`);
          if (open.length > 0) throw new Error(`${open.length} open: ${open.slice(0, 3).join("; ")}`);
          return true;
        },
        { timeoutMs, intervalMs: 100 },
      )),
    restart: async () => {
      await core.close();
      core = await begin();
    },
    audited: audit !== undefined,
    creations: (id) => {
      const name = workloadName({ taskId: id, attempt: 1 });
      return (audit?.writes(namespace) ?? [])
        .filter((write) => write.verb === "create" && WORKLOADS.includes(write.resource))
        .filter((write) => write.name === name).length;
    },
    leftovers: async () => {
      const paths = [
        `/apis/batch/v1/namespaces/${namespace}/jobs`,
        `/apis/kubeflow.org/v1/namespaces/${namespace}/pytorchjobs`,
        `/api/v1/namespaces/${namespace}/pods`,
      ];
      const lists = await Promise.all(paths.map(async (path) => await api.get(path)));
      // The API server's own lists; a kind that it does not know has none.
      return lists.flatMap((list) =>
        ((list as { items?: { metadata: { name: string } }[] })?.items ?? []).map(
          ({ metadata }) => metadata.name,
        ),
      );
    },
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}

interface CoreInput {
  readonly kubeconfig: string;
  readonly namespace: string;
  readonly document: ReturnType<KubernetesRuntimeDeps["directory"]>;
  readonly store: StoreFixture;
}

/** One process's worth of task-svc. */
async function startCore({ kubeconfig, namespace, document, store }: CoreInput) {
  const log = createLogger({ service: "task-svc", level: "silent" });
  const now = () => new Date();
  const runtime = new KubernetesRuntime({
    connection: await connect(kubeconfig),
    directory: () => document,
    instance: namespace,
    downloads: { grantFor: () => NO_GRANT },
    records: NO_RECORDS,
    prepareImage: "none",
    log,
    now,
    requestsPerSecond: 100,
    keepSeconds: 0,
    watching: WATCHING,
  });
  const notifier = createTaskNotifier();
  const controller = createController({
    store: store.store,
    runtime,
    notifier,
    lease: createLease({ pool: store.pool, name: "controller", log, ttlMs: 2_000 }),
    quotaOf: () => ({ cpu: 60, memoryGb: 200, gpu: 0 }),
    onQuotaChange: () => () => undefined,
    failpoints: NO_FAILPOINTS,
    log,
  });
  controller.start();
  return {
    notifier,
    close: async () => {
      await controller.stop();
      await runtime.close();
    },
  };
}

async function submit({ store }: StoreFixture, namespace: string, life: Life): Promise<TaskId> {
  const id = newTaskId();
  const env = { AIEP_SIM_RUN_FOR: life.runFor ?? "1s", AIEP_SIM_EXIT_CODE: String(life.exitCode ?? 0) };
  const mode = life.mode ?? "Standalone";
  const spec = { ...specOf(mode, mode === "DDP" ? 2 : 1), namespace, env };
  await store.insert(
    createTask(factsOf({ id, spec, createdAt: new Date() }), { envNames: Object.keys(env) }),
    submission,
  );
  return id;
}

async function stop(
  { store }: StoreFixture,
  taskOf: (id: TaskId) => Promise<Task>,
  id: TaskId,
): Promise<void> {
  for (;;) {
    const change = requestStop(await taskOf(id), { by: "bob", graceSeconds: 1 }, new Date());
    if (change === null) return;
    try {
      return await store.save(change);
    } catch (error) {
      if (!AiepError.is(error, "VERSION_CONFLICT")) throw error; // the controller was quicker
    }
  }
}
