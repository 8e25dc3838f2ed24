/**
 * 2 000 live tasks in a real cluster on simulated machines: how much of its own API rate a burst of submissions uses, how
 * long a change of a pod takes to whoever watches the task, and what task-svc weighs meanwhile. Needs KUBECONFIG and kwok.
 *
 * A controller manager with its default of 20 requests a second makes the pods of a burst at 7 a second: that is waited
 * for, up to a bound, and in no figure. Give it more (--kube-api-qps) to wait less.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  AuditLog,
  findKwok,
  type KubeApi,
  openKubeApi,
  startSimulatedNodes,
  waitFor,
} from "@aiep/dev-servers";
import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { type BenchStack, smallTask } from "../bench-stack.ts";
import type { Figure } from "../report.ts";
import { round, summarise } from "../stats.ts";

const TASKS = Number(process.env["AIEP_BENCH_TASKS"] ?? 2_000);
/** Of these the bench itself plays the kubelet, so that it knows when a pod changed. */
const PLAYED = 60;
const MACHINES = 20;
/** What task-svc is configured to, by default. */
const RATE = 50;
const CLIENTS = 16;

export async function kubernetesScaleSuite(stack: BenchStack): Promise<Figure[]> {
  const kubeconfig = process.env["KUBECONFIG"] ?? "";
  const kwok = await findKwok();
  if (kwok === undefined) throw new Error("there is no kwok here; set AIEP_KWOK");
  const audit = AuditLog.fromNow(
    process.env["AIEP_CLUSTER_AUDIT_LOG"] ?? join(dirname(kubeconfig), "audit/log.jsonl"),
  );
  if (audit === undefined) throw new Error("the cluster has no audit log here; set AIEP_CLUSTER_AUDIT_LOG");
  const namespace = `aiep-scale-${randomBytes(4).toString("hex")}`;
  using api = openKubeApi(kubeconfig);
  await using nodes = await startSimulatedNodes({ kubeconfig, kwok, count: MACHINES });
  await api.create("/api/v1/namespaces", { metadata: { name: namespace } });
  await using _ = { [Symbol.asyncDispose]: async () => await api.remove(`/api/v1/namespaces/${namespace}`) };
  await stack.changeDirectory((directory) => {
    directory.namespaces?.push({
      name: namespace,
      quota: { cpu: nodes.capacity.cpu, memory_gb: nodes.capacity.memoryGb },
      node_selector: { ...nodes.nodeSelector },
      tolerations: nodes.tolerations.map((each) => ({ ...each })),
    });
    directory.groups[0]?.namespaces?.push(namespace);
  }, namespace);

  await using watcher = await watchEvents(stack);
  let memory = 0;
  const weighing = setInterval(() => (memory = Math.max(memory, stack.memory("task-svc"))), 500);
  try {
    const played = await submitAll(stack, namespace);
    const made = await waitFor(
      `${TASKS} jobs are made`,
      () => {
        const times = creations(audit, namespace);
        return times.length >= TASKS && times;
      },
      { timeoutMs: 300_000, intervalMs: 2_000 },
    );
    // Until the burst has gone through the cluster, a change would wait for the cluster's own parts.
    await waitFor(`${TASKS - PLAYED} tasks run`, () => watcher.count("running") >= TASKS - PLAYED, {
      timeoutMs: 420_000,
      intervalMs: 500,
    }).catch(() => undefined);
    const changes = await playKubelet(api, namespace, played, watcher);
    const running = summarise(changes.running);
    const succeeded = summarise(changes.succeeded);
    const of = `with ${TASKS} live tasks on Kubernetes`;
    console.error(`${watcher.count("running")} of the tasks run`);
    const atMost = (what: string, value: number, limit?: number): Figure => ({
      what,
      value: round(value),
      unit: "ms",
      ...(limit === undefined ? {} : { budget: { atMost: limit } }),
    });
    return [
      {
        what: `share of its API rate (${RATE}/s) that a burst of ${TASKS} submissions uses`,
        value: round(rateUsed(made) * 100),
        unit: "%",
        budget: { atLeast: 95 },
      },
      atMost(`pod runs → bus subscriber, p50, ${of}`, running.p50, 100),
      atMost(`pod runs → bus subscriber, p99, ${of}`, running.p99),
      atMost(`pod succeeds → bus subscriber, p50, ${of}`, succeeded.p50, 100),
      atMost(`pod succeeds → bus subscriber, p99, ${of}`, succeeded.p99),
      {
        what: `memory ${of}, task-svc (from sources)`,
        value: round(memory),
        unit: "MB",
        budget: { atMost: 300 },
      },
    ];
  } finally {
    clearInterval(weighing);
  }
}

/** All at once; the ids of those whose pods wait for us. */
async function submitAll(stack: BenchStack, namespace: string): Promise<string[]> {
  const played: string[] = [];
  let left = TASKS;
  const client = async () => {
    while (left > 0) {
      const ours = TASKS - left < PLAYED; // the first, so that their pods are there early
      left -= 1;
      const body = simulated(namespace, ours ? { AIEP_SIM_START_AFTER: "10h" } : {});
      const id = await submit(stack, body);
      if (ours) played.push(id);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return played;
}

/** As a client does that is told to come again. */
async function submit(stack: BenchStack, body: object): Promise<string> {
  const key = randomUUID();
  for (;;) {
    const answer = await stack.call("POST", "/v1/tasks", body, { key });
    if (answer.status === 201) return (JSON.parse(answer.body) as { id: string }).id;
    if (answer.status !== 503) throw new Error(answer.body);
    await sleep(1_000);
  }
}

function simulated(namespace: string, env: Readonly<Record<string, string>>) {
  const body = smallTask(namespace, "true", "scale");
  const worker = { nums: 1, cpu_num: 0.5, memory: 0.25 };
  const compute = { ...body.task_config.compute_resource_info, node_info: { worker } };
  return { task_config: { ...body.task_config, compute_resource_info: compute }, set_envs: env };
}

/** When the API server made each job, in order. */
function creations(audit: AuditLog, namespace: string): number[] {
  return audit
    .writes(namespace)
    .filter(({ verb, resource, subresource }) => verb === "create" && resource === "jobs" && !subresource)
    .map(({ at }) => at.getTime())
    .sort((a, b) => a - b);
}

/** Creations beside what the rate and its burst allow in the same time. */
function rateUsed(made: readonly number[]): number {
  const seconds = ((made.at(-1) ?? 0) - (made[0] ?? 0)) / 1000;
  return made.length / (RATE + seconds * RATE);
}

interface Watcher extends AsyncDisposable {
  count(event: string): number;
  /** When the task's event arrived; resolves at once when it has. */
  arrival(taskId: string, event: string): Promise<number>;
}

async function watchEvents(stack: BenchStack): Promise<Watcher> {
  const { url, user, password } = stack.subscriber;
  const nc = await connect({ servers: url, user, pass: password, inboxPrefix: `_INBOX_${user}` });
  const filter = { filter_subjects: "aiep.*.evt.task.>", deliver_policy: "new" } as const;
  const messages = await (await jetstream(nc).consumers.get("TASK", filter)).consume();
  const counts = new Map<string, number>();
  const arrivals = new Map<string, PromiseWithResolvers<number>>();
  const arrivalOf = (key: string) => {
    const known = arrivals.get(key) ?? Promise.withResolvers<number>();
    arrivals.set(key, known);
    return known;
  };
  const reading = (async () => {
    for await (const message of messages) {
      const now = performance.now();
      const [taskId, event = ""] = message.subject.split(".").slice(-2);
      counts.set(event, (counts.get(event) ?? 0) + 1);
      arrivalOf(`${taskId}.${event}`).resolve(now);
    }
  })();
  return {
    count: (event) => counts.get(event) ?? 0,
    arrival: async (taskId, event) => await arrivalOf(`${taskId}.${event}`).promise,
    [Symbol.asyncDispose]: async () => {
      messages.stop();
      await reading;
      await nc.close();
    },
  };
}

/** Writes what a kubelet would, one pod after another, and takes the time until the task's event is here. */
async function playKubelet(api: KubeApi, namespace: string, tasks: readonly string[], watcher: Watcher) {
  const pods = await waitFor(
    "the played pods have machines",
    async () => {
      const found = await podsOf(api, namespace, tasks);
      return found.size === tasks.length && found;
    },
    { timeoutMs: 120_000, intervalMs: 1_000 },
  );
  const times = { running: [] as number[], succeeded: [] as number[] };
  for (const [taskId, pod] of pods) {
    for (const change of ["running", "succeeded"] as const) {
      const began = performance.now();
      await api.patch(`/api/v1/namespaces/${namespace}/pods/${pod}/status`, { status: STATUS[change]() });
      times[change].push((await watcher.arrival(taskId, change)) - began);
    }
  }
  return times;
}

const now = () => new Date().toISOString();
const container = (state: object, ready: boolean) => [
  { name: "main", image: "simulated", imageID: "", ready, restartCount: 0, state },
];
const STATUS = {
  running: () => ({
    phase: "Running",
    podIP: "10.98.0.1", // with one, the simulator leaves the pod alone
    podIPs: [{ ip: "10.98.0.1" }],
    startTime: now(),
    containerStatuses: container({ running: { startedAt: now() } }, true),
  }),
  succeeded: () => ({
    phase: "Succeeded",
    containerStatuses: container(
      { terminated: { exitCode: 0, reason: "Completed", startedAt: now(), finishedAt: now() } },
      false,
    ),
  }),
};

async function podsOf(
  api: KubeApi,
  namespace: string,
  tasks: readonly string[],
): Promise<Map<string, string>> {
  const { items } = (await api.get(`/api/v1/namespaces/${namespace}/pods`)) as {
    items: { metadata: { name: string }; spec: { nodeName?: string } }[];
  }; // the API server's own list
  const wanted = new Set(tasks);
  const found = new Map<string, string>();
  for (const { metadata, spec } of items) {
    const taskId = /^t-([0-9a-f]{32})-/.exec(metadata.name)?.[1] ?? "";
    if (spec.nodeName !== undefined && wanted.has(taskId)) found.set(taskId, metadata.name);
  }
  return found;
}
