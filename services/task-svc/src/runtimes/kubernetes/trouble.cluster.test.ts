/** What a real cluster does to a task beside running it, and the words a newcomer reads then (I11). */
import type { TaskSpec } from "@aiep/contracts";
import { findKwok, startSimulatedNodes, waitFor } from "@aiep/dev-servers";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import type { Observation, Workload } from "../../domain/runtime.ts";
import { untilEnded, untilRunning, workload } from "../conformance/stage.ts";
import { keyOf, LABELS } from "./names.ts";
import { type ClusterStage, openClusterStage } from "./testing/cluster-stage.ts";

const kubeconfig = process.env["KUBECONFIG"] ?? "";
const kwok = await findKwok();

const PATIENT = { timeoutMs: 90_000, intervalMs: 100 };
const FOR_EVER = "while :; do sleep 0.1; done";

/** The workload waits, and says why. */
async function untilWaiting(stage: ClusterStage, task: Workload, reason: string, words: RegExp) {
  return await waitFor(
    `it waits: ${reason}, ${words}`,
    async () => {
      const seen = await stage.runtime.observe(task);
      const waiting = seen.kind === "present" ? seen.waiting : undefined;
      if (waiting?.reason === reason && words.test(waiting.message)) return waiting;
      throw new Error(JSON.stringify(waiting ?? seen));
    },
    PATIENT,
  );
}

async function podsOf({ api, namespace }: ClusterStage, task: Workload): Promise<string[]> {
  const labels = encodeURIComponent(`${LABELS.taskId}=${task.taskId}`);
  const found = await api.get(`/api/v1/namespaces/${namespace}/pods?labelSelector=${labels}`);
  const list = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })) });
  return list.parse(found).items.map(({ metadata }) => metadata.name);
}

const roles = (changes: Partial<TaskSpec["roles"][number]>) => ({
  roles: [
    { role: "worker", count: 1, cpu: 0.1, memory_gb: 0.1, gpu: 0, gpu_type: null, ...changes } as const,
  ],
});

describe.skipIf(kubeconfig === "")("a task that cannot start says why, and stops when asked", () => {
  const cases: [string, Partial<TaskSpec>, string, RegExp][] = [
    [
      "an image that no registry has",
      { image: { url: "registry.invalid/none:1", name: null } },
      "ImageError",
      /image registry\.invalid\/none:1 cannot be pulled \(the registry cannot be reached .*administrator\)/,
    ],
    [
      "an image name that is none",
      { image: { url: "Not An Image", name: null } },
      "ImageError",
      /no image name; correct image_info/,
    ],
    [
      "GPUs where there are none",
      roles({ gpu: 2 }),
      "Unschedulable",
      /asks for 2 GPUs \(nvidia\.com\/gpu\), and none of .*no machine has any GPUs.*Waiting does not help/,
    ],
    [
      "more cores than any machine has",
      roles({ cpu: 90 }),
      "Unschedulable",
      /asks for 90 CPU cores, .* free is [\d.]+ of [\d.]+ CPU cores\. Waiting does not help/,
    ],
  ];
  test.each(cases)("%s", async (_, spec, reason, words) => {
    await using stage = await openClusterStage(kubeconfig);
    const task = workload(stage, "true", { spec });
    await stage.runtime.launch(task);
    await untilWaiting(stage, task, reason, words);
    await stage.runtime.stop(task, { graceSeconds: 1 });
    expect(await untilEnded(stage, task)).toMatchObject([{ state: "Stopped", startedAt: null }]);
  });

  test("a quota of the cluster that is used up, and the task starts by itself when it is raised", async () => {
    await using stage = await openClusterStage(kubeconfig);
    const quotas = `/api/v1/namespaces/${stage.namespace}/resourcequotas`;
    await stage.api.create(quotas, { metadata: { name: "small" }, spec: { hard: { pods: "0" } } });
    await waitFor("the quota counts", async () =>
      JSON.stringify(await stage.api.get(`${quotas}/small`)).includes('"used"'),
    );
    const task = workload(stage, "true");
    await stage.runtime.launch(task);
    await untilWaiting(
      stage,
      task,
      "QuotaExceeded",
      /quota small: asked for pods=1, in use pods=0, limit pods=0/,
    );
    await stage.api.patch(`${quotas}/small`, { spec: { hard: { pods: "9" } } });
    expect(await untilEnded(stage, task)).toMatchObject([{ state: "Succeeded" }]);
  });
});

describe.skipIf(kubeconfig === "")("a task that loses its place ends, and says how", () => {
  test.each(["Standalone", "DDP"] as const)("evicted through the API: %s", async (mode) => {
    await using stage = await openClusterStage(kubeconfig);
    const task = workload(stage, FOR_EVER, { mode, workers: mode === "DDP" ? 2 : 1 });
    await stage.runtime.launch(task);
    await untilRunning(stage, task);
    const [first = ""] = await podsOf(stage, task);
    await stage.api.create(`/api/v1/namespaces/${stage.namespace}/pods/${first}/eviction`, {
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: { name: first },
    });
    const [master, ...others] = await untilEnded(stage, task);
    expect(master).toMatchObject({ state: "Failed", reason: "Evicted" });
    expect(master?.message).toMatch(
      /evicted, e\.g\. because its machine is being drained; submit the task again/,
    );
    for (const other of others)
      expect(other).toMatchObject({
        state: "Stopped",
        message: "ended by the cluster after worker-0 had failed",
      });
  });

  test("a pod that somebody deleted", async () => {
    await using stage = await openClusterStage(kubeconfig);
    const task = workload(stage, FOR_EVER);
    await stage.runtime.launch(task);
    await untilRunning(stage, task);
    const [pod = ""] = await podsOf(stage, task);
    await stage.api.remove(`/api/v1/namespaces/${stage.namespace}/pods/${pod}`);
    expect(await untilEnded(stage, task)).toMatchObject([{ state: "Failed", reason: "RemovedFromOutside" }]);
  });

  test("a job that somebody deleted is absent, told to the sink", async () => {
    await using stage = await openClusterStage(kubeconfig);
    const task = workload(stage, FOR_EVER);
    await stage.runtime.launch(task);
    await untilRunning(stage, task);
    await stage.api.remove(`/apis/batch/v1/namespaces/${stage.namespace}/jobs/${keyOf(task)}`);
    const last = (): Observation | undefined => stage.seen(task).at(-1);
    await waitFor("the sink knows", () => last()?.kind === "absent");
    expect(await stage.runtime.observe(task)).toMatchObject({ kind: "absent" });
  });

  test.skipIf(kwok === undefined)("a machine that is gone takes the node's result with it", async () => {
    await using nodes = await startSimulatedNodes({ kubeconfig, kwok: kwok ?? "", count: 1 });
    await using stage = await openClusterStage(kubeconfig, {
      namespace: { node_selector: nodes.nodeSelector, tolerations: [...nodes.tolerations] },
    });
    const task = workload(stage, "true");
    await stage.runtime.launch(task);
    await untilRunning(stage, task);
    for (const name of nodes.names)
      await stage.api.patch(`/api/v1/nodes/${name}`, {
        spec: { taints: [{ key: "node.kubernetes.io/out-of-service", effect: "NoExecute" }] },
      });
    const [node] = await untilEnded(stage, task);
    expect(node).toMatchObject({ state: "Failed", reason: "NodeLost", exitCode: null });
    expect(node?.message).toMatch(/machine went away .* submit the task again/);
  });
});

if (kubeconfig === "")
  test.skip("SKIPPED: no cluster here; set KUBECONFIG to run this suite", () => undefined);
