/**
 * A rig whose tasks run in a real cluster on simulated machines: many tasks cost little, and how each lives and ends is
 * known beforehand. What the cluster did is read from its own audit log and its own lists, behind the platform's back.
 */
import { dirname, join } from "node:path";
import {
  AuditLog,
  type FaultProxy,
  type KubeApi,
  openFaultProxy,
  openKubeApi,
  startSimulatedNodes,
  waitFor,
} from "@aiep/dev-servers";
import type { ExecutionFact, History } from "../history/history.ts";
import { type Asked, readHistory } from "../history/read.ts";
import { type Rig, startRig } from "../rig/rig.ts";

const WORKLOADS = ["jobs", "pytorchjobs", "tfjobs"];
const CLUSTER_PROGRAMS = ["task-svc", "log-svc"] as const;

export interface SimulatedRig extends AsyncDisposable {
  readonly rig: Rig;
  /** Behind the platform's back. */
  readonly api: KubeApi;
  /** Between the platform and the API server. */
  readonly proxy: FaultProxy;
  /** At rest: executions are creations of workloads by the audit log, leftovers also what is in the cluster. */
  history(asked: Asked): Promise<History>;
}

export async function startSimulatedRig(options: {
  readonly kubeconfig: string;
  readonly kwok: string;
  /** 0: the cluster's real ones. */
  readonly machines?: number;
  readonly env?: Readonly<Record<string, string>>;
}): Promise<SimulatedRig> {
  const { kubeconfig, kwok, machines = 2 } = options;
  await using opening = new AsyncDisposableStack();
  const api = opening.use(openKubeApi(kubeconfig));
  const nodes =
    machines === 0
      ? undefined
      : opening.use(await startSimulatedNodes({ kubeconfig, kwok, count: machines }));
  const audit = auditLogOf(kubeconfig);
  const proxy = opening.use(await openFaultProxy(kubeconfig));
  const env = { AIEP_KUBERNETES_KEEP_SECONDS: "0", ...options.env };
  const rig = opening.use(await startRig({ kubeconfig: proxy.kubeconfig, start: [], env }));
  await rig.changeDirectory(({ namespaces = [] }) => {
    const own = namespaces.find(({ name }) => name === rig.namespace);
    if (own === undefined) throw new Error("the rig's namespace is not in its directory");
    if (nodes === undefined) return;
    own.node_selector = { ...nodes.nodeSelector };
    own.tolerations = nodes.tolerations.map((each) => ({ ...each }));
    own.quota = { cpu: nodes.capacity.cpu, memory_gb: nodes.capacity.memoryGb };
  });
  for (const name of CLUSTER_PROGRAMS) await rig.start(name);
  const stack = opening.move();
  return {
    rig,
    api,
    proxy,
    history: async (asked) => await readClusterHistory({ rig, api, audit }, asked),
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}

/** Runs a test on such a rig; when it fails, the ends of the logs are printed before the folder goes. */
export async function tellingLogs(rig: Rig, test: () => Promise<void>): Promise<void> {
  try {
    await test();
  } catch (error) {
    process.stderr.write(`${await rig.tails()}\n`);
    throw error;
  }
}

function auditLogOf(kubeconfig: string): AuditLog | undefined {
  const file = process.env["AIEP_CLUSTER_AUDIT_LOG"] ?? join(dirname(kubeconfig), "audit/log.jsonl");
  const audit = AuditLog.fromNow(file);
  if (audit === undefined)
    console.warn(`SKIPPED: what the API server itself made is not counted: there is no ${file}`);
  return audit;
}

interface Sources {
  readonly rig: Rig;
  readonly api: KubeApi;
  readonly audit: AuditLog | undefined;
}

async function readClusterHistory({ rig, api, audit }: Sources, asked: Asked): Promise<History> {
  const left = await waitFor(
    "nothing is left in the cluster",
    async () => ((await objectsIn(api, rig.namespace)).length === 0 ? [] : undefined),
    { timeoutMs: 20_000, intervalMs: 200 },
  ).catch(async () => await objectsIn(api, rig.namespace));
  const history = await readHistory(rig, asked);
  const executions =
    audit === undefined ? assumed(history) : creationsOf(audit, rig.namespace, history.tasks);
  return { ...history, executions, leftovers: [...history.leftovers, ...left] };
}

/** Each workload that the API server made, under its task's key; and pods beyond one of each batch Job. */
function creationsOf(audit: AuditLog, namespace: string, tasks: History["tasks"]): ExecutionFact[] {
  const made = audit.writes(namespace).filter(({ verb, subresource }) => verb === "create" && !subresource);
  const keys = new Map(tasks.map(({ id, key }) => [id, key]));
  const workloads = made
    .filter(({ resource }) => WORKLOADS.includes(resource))
    .map(({ name, at }): ExecutionFact => {
      const [, taskId = "", attempt = ""] = /^t-([0-9a-f]{32})-(\d+)$/.exec(name) ?? [];
      return { key: keys.get(taskId) ?? name, node: `attempt ${attempt}`, pid: at.toISOString() };
    });
  const jobs = made.filter(({ resource }) => resource === "jobs").length;
  const pods = made.filter(({ resource, user }) => resource === "pods" && user.endsWith(":job-controller"));
  const surplus = pods
    .slice(jobs)
    .map(({ at }): ExecutionFact => ({ key: "a pod too many", node: "of some Job", pid: at.toISOString() }));
  return [...workloads, ...surplus, ...surplus];
}

/** Without an audit log nothing is known of what was made: what succeeded ran, once. */
function assumed({ tasks }: History): ExecutionFact[] {
  return tasks
    .filter(({ state }) => state === "Succeeded")
    .map(({ key }) => ({ key, node: "attempt 1", pid: "" }));
}

async function objectsIn(api: KubeApi, namespace: string): Promise<string[]> {
  const paths = [
    ...[`/apis/batch/v1/namespaces/${namespace}/jobs`, `/api/v1/namespaces/${namespace}/pods`],
    ...WORKLOADS.slice(1).map((kind) => `/apis/kubeflow.org/v1/namespaces/${namespace}/${kind}`),
  ];
  const lists = await Promise.all(paths.map(async (path) => await api.get(path)));
  return lists.flatMap((list) =>
    // The API server's own lists; a kind that it does not know has none.
    ((list as { items?: { metadata: { name: string } }[] } | undefined)?.items ?? []).map(
      ({ metadata }) => `in the cluster ${metadata.name}`,
    ),
  );
}
