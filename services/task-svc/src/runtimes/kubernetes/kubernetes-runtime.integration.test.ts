import { waitFor } from "@aiep/dev-servers";
import { answer, failure } from "@aiep/kube/testing";
import { expect, test } from "vitest";
import { KINDS } from "./kinds.ts";
import type { KubernetesRuntimeDeps } from "./kubernetes-runtime.ts";
import { ANNOTATIONS, labelsOf } from "./names.ts";
import { type FakeCluster, openFakeCluster } from "./testing/fake-cluster.ts";
import { INSTANCE, openTestRuntime } from "./testing/fake-runtime.ts";
import { ended, NAME, running } from "./testing/objects.ts";
import { role, workloadOf } from "./testing/workloads.ts";

async function openRuntime(cluster: FakeCluster, changes: Partial<KubernetesRuntimeDeps> = {}) {
  const opened = await openTestRuntime(cluster, changes);
  const { runtime } = opened;
  const untilStates = async (...states: string[]) =>
    await waitFor(`nodes are ${states.join(", ")}`, async () => {
      const found = await runtime.observe(task);
      expect(found.kind === "present" ? found.nodes.map(({ state }) => state) : [found.kind]).toEqual(states);
      return found;
    });
  return { ...opened, untilStates };
}

const task = workloadOf();
const ddp = workloadOf({ mode: "DDP", roles: [role("worker", 2)] });
const pod = (status: object, name = "x7k2p") => ({
  metadata: { name: `${NAME}-${name}`, labels: labelsOf(task, INSTANCE) },
  status,
});
const posts = (cluster: FakeCluster) => cluster.api.requests.filter(({ method }) => method === "POST");

test("R1: launched twice, at once and later, and by a successor, it is made once", async () => {
  await using cluster = await openFakeCluster();
  {
    await using first = await openRuntime(cluster);
    await Promise.all([first.runtime.launch(task), first.runtime.launch(task)]);
  }
  await using second = await openRuntime(cluster);
  expect(await second.runtime.list()).toEqual([{ taskId: task.taskId, attempt: 1 }]);
  await second.runtime.launch(task);
  expect(posts(cluster).length).toBeGreaterThan(1);
  expect(cluster.get(KINDS.Job, NAME)?.metadata.resourceVersion).toBe("2");
});

test("R1: a create that timed out after it was carried out is found by name", async () => {
  await using cluster = await openFakeCluster();
  await using opened = await openRuntime(cluster);
  let lost = false;
  cluster.intercept((request) => {
    if (request.method !== "POST" || lost) return false;
    lost = true;
    cluster.put(KINDS.Job, request.body ?? {});
    request.response.destroy();
    return true;
  });
  await opened.runtime.launch(task);
  expect(posts(cluster)).toHaveLength(1);
  await opened.untilStates("Pending");
});

test("an object of the same name that is somebody else's is left alone, and said", async () => {
  await using cluster = await openFakeCluster();
  cluster.put(KINDS.Job, { metadata: { name: NAME } });
  await using opened = await openRuntime(cluster);
  await expect(opened.runtime.launch(task)).rejects.toMatchObject({ code: "LAUNCH_REFUSED" });
});

test("R2: what pods tell reaches the sink, each change once", async () => {
  await using cluster = await openFakeCluster();
  await using opened = await openRuntime(cluster);
  await opened.runtime.launch(task);
  await opened.untilStates("Pending");
  cluster.put(KINDS.Pod, pod(running("Standalone")));
  await opened.untilStates("Running");
  cluster.put(KINDS.Pod, pod(running("Standalone")));
  cluster.put(KINDS.Pod, pod(ended("Standalone", 0)));
  await opened.untilStates("Succeeded");
  await waitFor("the sink knows", () => opened.seen.length === 3);
  expect(opened.seen.map((each) => (each.kind === "present" ? each.nodes[0]?.state : each.kind))).toEqual([
    "Pending",
    "Running",
    "Succeeded",
  ]);
});

test("R3: a stop during the launch wins: the job is made suspended, or suspended at once", async () => {
  await using cluster = await openFakeCluster();
  await using opened = await openRuntime(cluster);
  const launched = opened.runtime.launch(ddp);
  await opened.runtime.stop(ddp, { graceSeconds: 5 });
  await launched;
  await opened.runtime.launch(ddp);
  await opened.untilStates("Stopped", "Stopped");
  expect(cluster.get(KINDS.PyTorchJob, NAME)).toMatchObject({ spec: { runPolicy: { suspend: true } } });
});

test("K2, S1: a stop is on the job before a pod is deleted, with the grace that was asked for, and then it is suspended", async () => {
  await using cluster = await openFakeCluster();
  await using opened = await openRuntime(cluster);
  await opened.runtime.launch(task);
  cluster.put(KINDS.Pod, pod(running("Standalone")));
  await opened.untilStates("Running");
  await opened.runtime.stop(task, { graceSeconds: 7 });
  await opened.untilStates("Stopped");
  const writes = cluster.api.requests
    .filter(({ method }) => method !== "GET")
    .map(({ method, body }) => [method, body]);
  expect(writes.slice(1)).toMatchObject([
    ["PATCH", { metadata: { annotations: { [ANNOTATIONS.stop]: expect.any(String) } } }],
    ["DELETE", { gracePeriodSeconds: 7 }],
    ["PATCH", { spec: { suspend: true } }],
  ]);
});

test("K2: a successor pursues a stop, and ends a pod that a controller made meanwhile", async () => {
  await using cluster = await openFakeCluster();
  {
    await using first = await openRuntime(cluster);
    await first.runtime.launch(task);
    await first.runtime.stop(task, { graceSeconds: 7 });
  }
  cluster.put(KINDS.Pod, pod(running("Standalone")));
  await using second = await openRuntime(cluster);
  await second.untilStates("Stopped");
  expect(cluster.get(KINDS.Pod, `${NAME}-x7k2p`)).toBeUndefined();
});

test("K2: a pod that is still there long after its grace is removed by force", async () => {
  await using cluster = await openFakeCluster();
  let clock = Date.now();
  await using opened = await openRuntime(cluster, { now: () => new Date(clock) });
  await opened.runtime.launch(task);
  cluster.put(KINDS.Pod, pod(running("Standalone")));
  await opened.untilStates("Running");
  const asked: unknown[] = [];
  cluster.intercept((request) => {
    if (request.method !== "DELETE" || !request.path.includes("/pods/")) return false;
    asked.push(request.body);
    answer(request, 200, {}); // its machine does not answer any more
    return true;
  });
  await opened.runtime.stop(task, { graceSeconds: 7 });
  const leaving = (touched: string) => {
    const { metadata, status } = pod(running("Standalone"));
    const deletionTimestamp = new Date(clock).toISOString();
    return { metadata: { ...metadata, deletionTimestamp, annotations: { touched } }, status };
  };
  cluster.put(KINDS.Pod, leaving("once"));
  expect(asked).toMatchObject([{ gracePeriodSeconds: 7 }]);
  clock += 7_000 + 61_000;
  cluster.put(KINDS.Pod, leaving("twice"));
  await waitFor("it is removed by force", () => asked.length > 1);
  expect(asked.at(-1)).toMatchObject({ gracePeriodSeconds: 0 });
});

test("K3: under Kueue a stop deletes the job and leaves suspend alone", async () => {
  await using cluster = await openFakeCluster();
  await using opened = await openRuntime(cluster);
  const queued = workloadOf({ namespace: "ns-kueue" });
  await opened.runtime.launch(queued);
  await opened.runtime.stop(queued, { graceSeconds: 7 });
  await opened.untilStates("absent");
  for (const { method, body } of cluster.api.requests)
    if (method === "PATCH") expect(body).not.toHaveProperty("spec");
});

test("K4: a job that somebody deleted is absent, told to the sink", async () => {
  await using cluster = await openFakeCluster();
  await using opened = await openRuntime(cluster);
  await opened.runtime.launch(task);
  await opened.untilStates("Pending");
  cluster.drop(KINDS.Job, NAME);
  await waitFor("the sink knows", () => opened.seen.at(-1)?.kind === "absent");
  await opened.untilStates("absent");
});

test("K4: after history was lost, what vanished meanwhile is found out, and what is there is kept", async () => {
  await using cluster = await openFakeCluster();
  await using opened = await openRuntime(cluster);
  const other = workloadOf({}, { attempt: 2 });
  await opened.runtime.launch(task);
  await opened.runtime.launch(other);
  cluster.intercept(({ query }) => query.get("watch") === "true");
  cluster.compact();
  cluster.intercept(() => false);
  cluster.drop(KINDS.Job, NAME);
  await opened.untilStates("absent");
  expect(await opened.runtime.observe(other)).toMatchObject({ kind: "present" });
});

test("a removed workload is gone at once, or kept and not spoken of until its time is over", async () => {
  await using cluster = await openFakeCluster();
  {
    await using opened = await openRuntime(cluster, { keepSeconds: 60 });
    await opened.runtime.launch(task);
    await opened.runtime.remove(task);
    await opened.runtime.remove(task);
    await opened.untilStates("absent");
    expect(await opened.runtime.list()).toEqual([]);
    expect(cluster.get(KINDS.Job, NAME)?.metadata["annotations"]).toMatchObject({
      [ANNOTATIONS.keepUntil]: expect.any(String),
    });
  }
  await using later = await openRuntime(cluster);
  expect(await later.runtime.list()).toEqual([]);
  await later.runtime.remove(task);
  await waitFor("the job is gone", () => cluster.get(KINDS.Job, NAME) === undefined);
});

test("what was never launched is absent; stopping and removing it is no error", async () => {
  await using cluster = await openFakeCluster();
  await using opened = await openRuntime(cluster);
  await opened.untilStates("absent");
  await opened.runtime.stop(task, { graceSeconds: 1 });
  await opened.runtime.remove(task);
});

test("a gang's PodGroup is made after its job and owned by it", async () => {
  await using cluster = await openFakeCluster();
  await using opened = await openRuntime(cluster);
  await opened.runtime.launch(workloadOf({ namespace: "ns-volcano" }));
  const job = cluster.get(KINDS.Job, NAME);
  expect(cluster.get(KINDS.VolcanoPodGroup, NAME)?.metadata["ownerReferences"]).toMatchObject([
    { kind: "Job", name: NAME, uid: job?.metadata.uid },
  ]);
});

test("a gang scheduler that is missing is a refusal in words, and leaves no job behind", async () => {
  await using cluster = await openFakeCluster();
  await using opened = await openRuntime(cluster);
  cluster.intercept((request) => {
    if (!request.path.includes("podgroups") || request.method !== "POST") return false;
    answer(request, 404, failure(404, "NotFound", "the server could not find the requested resource"));
    return true;
  });
  const launch = opened.runtime.launch(workloadOf({ namespace: "ns-volcano" }));
  await expect(launch).rejects.toMatchObject({
    code: "LAUNCH_REFUSED",
    message: expect.stringMatching(/not installed/),
  });
  expect(cluster.get(KINDS.Job, NAME)).toBeUndefined();
});

test.each([
  [403, "jobs is forbidden: User cannot create", "RUNTIME_UNAVAILABLE", /bind its role/],
  [403, "exceeded quota: count/jobs.batch, requested: 1", "RUNTIME_UNAVAILABLE", /quota/],
  [404, 'namespaces "ns-plain" not found', "LAUNCH_REFUSED", /no namespace ns-plain/],
  [422, "spec.template: Invalid value", "LAUNCH_REFUSED", /Invalid value/],
])("%i %s is %s", async (status, message, code, words) => {
  await using cluster = await openFakeCluster();
  await using opened = await openRuntime(cluster);
  cluster.intercept((request) => {
    if (request.method === "POST") answer(request, status, failure(status, "No", message));
    return request.method === "POST";
  });
  await expect(opened.runtime.launch(task)).rejects.toMatchObject({
    code,
    message: expect.stringMatching(words),
  });
});
