/**
 * Gang schedulers and Kueue by their definitions in a real API server; the schedulers themselves are not there, so the
 * test says what they would say, and puts pods on their machine.
 */
import { readFileSync } from "node:fs";
import { type KubeApi, KubeApiError, openKubeApi, waitFor } from "@aiep/dev-servers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import * as z from "zod";
import type { Workload } from "../../domain/runtime.ts";
import { untilEnded, untilNodes, workload } from "../conformance/stage.ts";
import { keyOf, LABELS } from "./names.ts";
import { type ClusterStage, openClusterStage } from "./testing/cluster-stage.ts";

const kubeconfig = process.env["KUBECONFIG"] ?? "";
const DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const named = z.looseObject({ metadata: z.object({ name: z.string() }) });

const published = (file: string) =>
  named.parse(parse(readFileSync(new URL(`testing/crds/${file}`, import.meta.url), "utf8")));

/** Kueue's own is 1.4 MB; this is what is read of it, under its name. */
const KUEUE = {
  metadata: {
    name: "workloads.kueue.x-k8s.io",
    annotations: { "api-approved.kubernetes.io": "unapproved, for a test" },
  },
  spec: {
    group: "kueue.x-k8s.io",
    scope: "Namespaced",
    names: { kind: "Workload", plural: "workloads" },
    versions: [
      {
        name: "v1beta1",
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
};

const nodeList = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })) });

async function podsOf({ api, namespace }: ClusterStage, task: Workload): Promise<string[]> {
  const labels = encodeURIComponent(`${LABELS.taskId}=${task.taskId}`);
  const found = await api.get(`/api/v1/namespaces/${namespace}/pods?labelSelector=${labels}`);
  return nodeList.parse(found).items.map(({ metadata }) => metadata.name);
}

/** What the scheduler that is not there would do. */
async function place(stage: ClusterStage, pods: readonly string[]): Promise<void> {
  for (const name of pods)
    await stage.api.create(`/api/v1/namespaces/${stage.namespace}/pods/${name}/binding`, {
      metadata: { name },
      target: { kind: "Node", name: "node-1" },
    });
}

async function untilQueued(stage: ClusterStage, task: Workload, words: RegExp): Promise<void> {
  await waitFor(`it is Queued: ${words}`, async () => {
    const seen = await stage.runtime.observe(task);
    const waiting = seen.kind === "present" ? seen.waiting : undefined;
    if (waiting?.reason === "Queued" && words.test(waiting.message)) return true;
    throw new Error(JSON.stringify(waiting ?? seen));
  });
}

describe.skipIf(kubeconfig === "")("gangs and queues", () => {
  let api: KubeApi;
  const installed: string[] = [];
  beforeAll(async () => {
    api = openKubeApi(kubeconfig);
    const wanted = [
      published("scheduling.volcano.sh_podgroups.yaml"),
      published("scheduling.x-k8s.io_podgroups.yaml"),
      named.parse(KUEUE),
    ];
    for (const definition of wanted) {
      try {
        await api.create(DEFINITIONS, definition);
        installed.push(definition.metadata.name);
      } catch (error) {
        if (!(error instanceof KubeApiError && error.status === 409)) throw error; // the cluster's own
      }
      await waitFor("the kind is served", async () => {
        const found = await api.get(`${DEFINITIONS}/${definition.metadata.name}`);
        return JSON.stringify(found).includes('"type":"Established"');
      });
    }
  });
  afterAll(async () => {
    for (const name of installed) await api.remove(`${DEFINITIONS}/${name}`);
    api[Symbol.dispose]();
  });

  test.each([
    ["volcano", "scheduling.volcano.sh/v1beta1", "Pending", "Running"],
    ["scheduler-plugins", "scheduling.x-k8s.io/v1alpha1", "Scheduling", "Running"],
  ] as const)(
    "%s: a gang waits whole, says how many have room, and runs when it is let in",
    async (gang, version, waits, runs) => {
      await using stage = await openClusterStage(kubeconfig, { namespace: { gang, queue: "research" } });
      const task = workload(stage, "true", { mode: "DDP", workers: 2 });
      await stage.runtime.launch(task);
      const group = `/apis/${version}/namespaces/${stage.namespace}/podgroups/${keyOf(task)}`;
      expect(await api.get(group)).toMatchObject({
        spec: { minMember: 2, ...(gang === "volcano" ? { queue: "research" } : {}) },
        metadata: { ownerReferences: [{ kind: "PyTorchJob", name: keyOf(task) }] },
      });
      const status = gang === "volcano" ? group : `${group}/status`; // Volcano's has no sub-resource
      const conditions =
        gang === "volcano"
          ? [
              {
                type: "Unschedulable",
                status: "True",
                reason: "NotEnoughResources",
                message: "2/2 tasks in gang unschedulable",
                transitionID: "1",
                lastTransitionTime: new Date().toISOString(),
              },
            ]
          : undefined;
      await api.patch(status, { status: { phase: waits, conditions } });
      const words =
        gang === "volcano" ? /all 2 nodes together .* 2\/2 tasks in gang/ : /all 2 nodes together/;
      await untilQueued(stage, task, words);
      await api.patch(status, { status: { phase: runs } });
      const pods = await waitFor("both pods are there", async () => {
        const found = await podsOf(stage, task);
        return found.length === 2 && found;
      });
      await place(stage, pods);
      const nodes = await untilNodes(
        stage,
        task,
        "the master has ended",
        ([master]) => master?.state === "Succeeded",
      );
      expect(nodes).toHaveLength(2);
      await stage.runtime.remove(task);
      // The cluster's garbage collector looks for new kinds every 30 s, and this one is new.
      await waitFor(
        "the gang's object is gone with its job",
        async () => (await api.get(group)) === undefined,
        { timeoutMs: 60_000, intervalMs: 250 },
      );
    },
  );

  test("Kueue: a job waits suspended with Kueue's words, runs when it is let in, and ends when it is put out", async () => {
    await using stage = await openClusterStage(kubeconfig, {
      namespace: { gang: "kueue", queue: "research" },
    });
    const task = workload(stage, "while :; do sleep 0.1; done");
    await stage.runtime.launch(task);
    const job = `/apis/batch/v1/namespaces/${stage.namespace}/jobs/${keyOf(task)}`;
    const made = await api.get(job);
    expect(made).toMatchObject({
      metadata: { labels: { "kueue.x-k8s.io/queue-name": "research" } },
      spec: { suspend: true },
    });
    await untilQueued(stage, task, /Kueue keeps the task/);
    const { uid } = z.object({ metadata: z.object({ uid: z.string() }) }).parse(made).metadata;
    const workloads = `/apis/kueue.x-k8s.io/v1beta1/namespaces/${stage.namespace}/workloads`;
    const name = `job-${keyOf(task)}-1`;
    const owner = { apiVersion: "batch/v1", kind: "Job", name: keyOf(task), uid, controller: true };
    await api.create(workloads, {
      apiVersion: "kueue.x-k8s.io/v1beta1",
      kind: "Workload",
      metadata: { name, ownerReferences: [owner] },
    });
    const say = async (type: string, status: string, message: string) =>
      await api.patch(`${workloads}/${name}/status`, { status: { conditions: [{ type, status, message }] } });
    await say("QuotaReserved", "False", "insufficient unused quota for cpu in flavor default, 1 more needed");
    await untilQueued(stage, task, /insufficient unused quota for cpu .* 1 more needed/);
    await say("QuotaReserved", "True", "Quota reserved");
    await api.patch(job, { spec: { suspend: false } });
    await untilNodes(stage, task, "it runs", ([node]) => node?.state === "Running");
    await say("Evicted", "True", "Preempted to accommodate a workload of higher priority");
    await api.patch(job, { spec: { suspend: true } });
    const [node] = await untilEnded(stage, task);
    expect(node).toMatchObject({ state: "Failed", reason: "Evicted" });
    expect(node?.message).toMatch(/Kueue took its place away; submit the task again\. .*Preempted/);
  });

  test("Kueue: a stop takes the job out of the queue", async () => {
    await using stage = await openClusterStage(kubeconfig, {
      namespace: { gang: "kueue", queue: "research" },
    });
    const task = workload(stage, "true");
    await stage.runtime.launch(task);
    await stage.runtime.stop(task, { graceSeconds: 1 });
    await waitFor("it is absent", async () => (await stage.runtime.observe(task)).kind === "absent");
  });
});

if (kubeconfig === "")
  test.skip("SKIPPED: no cluster here; set KUBECONFIG to run this suite", () => undefined);
